//! `nebula new`.

use std::{fs, io, path::Path};

use clap::{Args, ValueEnum};
use nebula_local::ExitCode;
use nebula_runtime::FunctionName;

use crate::{
    config::Config,
    counter::counter,
    failure::Failure,
    print,
    template::{Kind, Language, Template},
};

const EXAMPLES: &str = "\
Examples:
  nebula new treats --language rust --kind core
  nebula new greeter --language python --kind http
  nebula new visits --language javascript --with keyvalue
  cd visits && nebula serve --watch

Which kinds the tools of a language can make:
  rust        core, command, http, typed
  c           core, command
  javascript  http, typed
  python      command, http, typed
  wat         core, command, typed

With --with keyvalue, the function is typed, in every language.";

/// Creates the smallest project of a function, in a new folder
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct New {
    /// The name of the function and of the folder: 1 to 63 of a-z, 0-9 and -, starting with a letter
    name: FunctionName,
    /// The language of the project
    #[arg(long, value_enum)]
    language: Language,
    /// The kind of the function
    #[arg(long, value_enum, required_unless_present = "with")]
    kind: Option<Kind>,
    /// A service that the function uses
    #[arg(long, value_enum, value_name = "SERVICE")]
    with: Option<With>,
}

/// A service that a new function uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum With {
    /// A key-value store (wasi:keyvalue): the function counts visits
    Keyvalue,
}

impl New {
    /// Writes the project, and prints what it wrote and what to do with it.
    pub(crate) fn execute(self) -> Result<u8, Failure> {
        let template = self.template()?;
        let folder = Path::new(self.name.as_str());
        make(folder)?;
        let files = self.files(&template);
        for (path, text) in &files {
            write(&folder.join(path), text)?;
        }
        print::result(&self.summary(&template, &files))?;
        Ok(ExitCode::OK)
    }

    fn template(&self) -> Result<Template, Failure> {
        match (self.with, self.kind) {
            (Some(With::Keyvalue), None | Some(Kind::Typed)) => Ok(counter(self.language)),
            (Some(With::Keyvalue), Some(kind)) => Err(Failure::Usage(format!(
                "--with keyvalue makes a typed function, and not one of kind {}: leave --kind out",
                written(&kind)
            ))),
            (None, kind) => {
                let kind = kind.unwrap_or(Kind::Typed);
                Template::of(self.language, kind).ok_or_else(|| self.no_such_template(kind))
            }
        }
    }

    fn no_such_template(&self, kind: Kind) -> Failure {
        let kinds = Kind::value_variants().iter().filter(|kind| Template::of(self.language, **kind).is_some());
        let languages = Language::value_variants().iter();
        let languages = languages.filter(|language| Template::of(**language, kind).is_some());
        let (language, kind) = (written(&self.language), written(&kind));
        let (kinds, languages): (Vec<_>, Vec<_>) = (kinds.map(written).collect(), languages.map(written).collect());
        Failure::Usage(format!(
            "the tools of {language} make no functions of kind {kind}: {language} makes {}; {kind} is made by {}",
            kinds.join(", "),
            languages.join(", ")
        ))
    }

    /// The path of each file in the project's folder, and its content.
    fn files(&self, template: &Template) -> Vec<(&'static str, String)> {
        let own = template.files.iter().map(|(path, text)| (*path, self.filled(text)));
        let described = [(Config::FILE, self.config(template)), ("README.md", self.readme(template))];
        own.chain(described).collect()
    }

    fn filled(&self, text: &str) -> String {
        text.replace("{{name}}", self.name.as_str()).replace("{{crate}}", &self.name.as_str().replace('-', "_"))
    }

    fn config(&self, template: &Template) -> String {
        let build = template.build.map(|build| format!("build = \"{build}\"\n")).unwrap_or_default();
        let Template { source, settings, .. } = template;
        self.filled(&format!("[functions.{{{{name}}}}]\nsource = \"{source}\"\n{build}{settings}"))
    }

    fn readme(&self, template: &Template) -> String {
        let main = template.files.first().map_or("", |(path, _)| path);
        let what = match (self.with, self.kind) {
            (Some(With::Keyvalue), _) => {
                "This function counts visits in a key-value store, which `nebula.toml` grants it. `nebula kv list state` \
                 shows the store. Callers send and get JSON"
            }
            (None, Some(Kind::Core)) => "This function takes numbers and returns a number",
            (None, Some(Kind::Command)) => "This function reads stdin and writes stdout",
            (None, Some(Kind::Http)) => "This function handles HTTP requests",
            (None, Some(Kind::Typed) | None) => "This function has types of its own, and callers send and get JSON",
        };
        let needs = template.needs.map(|needs| format!("You need {needs}.\n\n")).unwrap_or_default();
        let install = template.install.map(|install| format!("{install}\n")).unwrap_or_default();
        let build = match template.build {
            Some(_) => {
                ". The command in `nebula.toml` builds it, and `nebula serve --watch` runs that command when a file changes"
            }
            None => ". `nebula serve --watch` publishes it again when the file changes",
        };
        self.filled(&format!(
            "# {{{{name}}}}\n\n{what}. It is in `{main}`{build}.\n\n{needs}```\n{install}nebula serve --watch\ncurl {}\n```\n",
            template.call
        ))
    }

    fn summary(&self, template: &Template, files: &[(&str, String)]) -> String {
        let written: String = files.iter().map(|(path, _)| format!("  {}/{path}\n", self.name)).collect();
        let enter = [Some(format!("cd {}", self.name)), template.install.map(str::to_owned)];
        let enter: Vec<_> = enter.into_iter().flatten().collect();
        format!("wrote\n{written}\nnext\n  {}\n  nebula serve --watch\n", enter.join(" && "))
    }
}

fn written(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn make(folder: &Path) -> Result<(), Failure> {
    fs::create_dir(folder).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::Usage(format!("{} exists already: choose another name, or another folder", folder.display()))
        }
        _ => Failure::Write { path: folder.to_owned(), source },
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|source| Failure::Write { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn projects() -> impl Iterator<Item = (New, Template)> {
        let kinds =
            |language: &Language| Kind::value_variants().iter().map(|kind| (*language, *kind)).collect::<Vec<_>>();
        let all = Language::value_variants().iter().flat_map(kinds);
        all.filter_map(|(language, kind)| {
            let name = "a-name".parse().unwrap();
            Some((New { name, language, kind: Some(kind), with: None }, Template::of(language, kind)?))
        })
    }

    fn counters() -> impl Iterator<Item = (New, Template)> {
        Language::value_variants().iter().map(|language| {
            let name = "a-name".parse().unwrap();
            (New { name, language: *language, kind: None, with: Some(With::Keyvalue) }, counter(*language))
        })
    }

    #[test]
    fn no_placeholder_is_left_and_the_configuration_is_valid() {
        for (new, template) in projects().chain(counters()) {
            let folder = tempfile::tempdir().unwrap();
            for (path, text) in new.files(&template) {
                assert!(!text.contains("{{"), "{new:?} {path}: {text}");
                write(&folder.path().join(path), &text).unwrap();
            }
            let config = Config::read(&folder.path().join(Config::FILE)).unwrap();
            assert_eq!(config.functions.iter().map(|function| &function.name).collect::<Vec<_>>(), [&new.name]);
            assert_eq!(config.functions[0].build.is_some(), template.build.is_some());
        }
    }

    #[test]
    fn the_help_lists_every_template() {
        for language in Language::value_variants() {
            let kinds = Kind::value_variants().iter().filter(|kind| Template::of(*language, **kind).is_some());
            let line = format!("{:11} {}", written(language), kinds.map(written).collect::<Vec<_>>().join(", "));
            assert!(EXAMPLES.contains(&line), "{line}");
        }
    }

    #[test]
    fn the_error_for_a_missing_template_lists_those_that_exist() {
        let kind = Some(Kind::Core);
        let new = New { name: "f".parse().unwrap(), language: Language::Javascript, kind, with: None };
        let expected = "the tools of javascript make no functions of kind core: javascript makes http, typed; core is \
                        made by rust, c, wat";
        assert_eq!(new.execute().unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_counter_is_typed() {
        let name: FunctionName = "f".parse().unwrap();
        let with = Some(With::Keyvalue);
        let new = |kind| New { name: name.clone(), language: Language::Rust, kind: Some(kind), with };
        let expected = "--with keyvalue makes a typed function, and not one of kind http: leave --kind out";
        assert_eq!(new(Kind::Http).execute().unwrap_err().to_string(), expected);
        assert!(new(Kind::Typed).template().is_ok());
    }

    #[test]
    fn a_readme_is_ten_lines_or_so() {
        for (new, template) in projects().chain(counters()) {
            let readme = new.readme(&template);
            assert!((7..=12).contains(&readme.lines().count()), "{readme}");
        }
    }
}
