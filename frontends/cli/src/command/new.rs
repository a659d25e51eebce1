//! `nebula new`.

use std::{fs, io, path::Path};

use clap::{Args, ValueEnum};
use nebula_local::ExitCode;
use nebula_runtime::FunctionName;

use crate::{
    config::Config,
    failure::Failure,
    print,
    template::{Kind, Language, Template},
};

const EXAMPLES: &str = "\
Examples:
  nebula new treats --language rust --kind core
  nebula new greeter --language python --kind http
  cd greeter && nebula serve --watch

Which kinds the tools of a language can make:
  rust        core, command, http, typed
  c           core, command
  javascript  http, typed
  python      command, http, typed
  wat         core, command, typed";

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
    #[arg(long, value_enum)]
    kind: Kind,
}

impl New {
    /// Writes the project, and prints what it wrote and what to do with it.
    pub(crate) fn execute(self) -> Result<u8, Failure> {
        let template = Template::of(self.language, self.kind).ok_or_else(|| self.no_such_template())?;
        let folder = Path::new(self.name.as_str());
        make(folder)?;
        let files = self.files(&template);
        for (path, text) in &files {
            write(&folder.join(path), text)?;
        }
        print::result(&self.summary(&template, &files))?;
        Ok(ExitCode::OK)
    }

    fn no_such_template(&self) -> Failure {
        let kinds = Kind::value_variants().iter().filter(|kind| Template::of(self.language, **kind).is_some());
        let languages = Language::value_variants().iter();
        let languages = languages.filter(|language| Template::of(**language, self.kind).is_some());
        let (language, kind) = (written(&self.language), written(&self.kind));
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
        // A component of componentize-py has one more export.
        let export = match (self.language, self.kind) {
            (Language::Python, Kind::Typed) => "export = \"greet\"\n",
            _ => "",
        };
        self.filled(&format!("[functions.{{{{name}}}}]\nsource = \"{}\"\n{build}{export}", template.source))
    }

    fn readme(&self, template: &Template) -> String {
        let main = template.files.first().map_or("", |(path, _)| path);
        let what = match self.kind {
            Kind::Core => "This function takes numbers and returns a number",
            Kind::Command => "This function reads stdin and writes stdout",
            Kind::Http => "This function handles HTTP requests",
            Kind::Typed => "This function has types of its own, and callers send and get JSON",
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
            Some((New { name, language, kind }, Template::of(language, kind)?))
        })
    }

    #[test]
    fn no_placeholder_is_left_and_the_configuration_is_valid() {
        for (new, template) in projects() {
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
        let new = New { name: "f".parse().unwrap(), language: Language::Javascript, kind: Kind::Core };
        let expected = "the tools of javascript make no functions of kind core: javascript makes http, typed; core is \
                        made by rust, c, wat";
        assert_eq!(new.execute().unwrap_err().to_string(), expected);
    }

    #[test]
    fn a_readme_is_ten_lines_or_so() {
        for (new, template) in projects() {
            let readme = new.readme(&template);
            assert!((7..=12).contains(&readme.lines().count()), "{readme}");
        }
    }
}
