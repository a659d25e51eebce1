wit_bindgen::generate!();

struct App;

export!(App);

impl Guest for App {
    fn greet(person: Person) -> Result<String, String> {
        if person.name.is_empty() {
            return Err("a person has a name".to_owned());
        }
        Ok(format!("Hello, {} of {} years!", person.name, person.age))
    }
}
