//! `docs/reference/cli.md`: what `--help` prints, for each command.

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

const INTRODUCTION: &str = "\
# Command line

This page is what `nebula --help` and `nebula COMMAND --help` print. All commands take the global options.
";

#[test]
fn the_page_of_the_command_line_is_what_help_prints() {
    let mut nebula = Cli::command().term_width(100).disable_help_subcommand(true);
    nebula.build();
    let mut page = INTRODUCTION.to_owned();
    add(&mut page, &nebula, false);
    super::check("cli.md", &page);
}

/// Adds a command and those below it. Global options are shown once, with `nebula` itself.
fn add(page: &mut String, command: &Command, hides_global: bool) {
    let shown = if hides_global { command.clone().mut_args(hidden_if_global) } else { command.clone() };
    let name = shown.get_bin_name().unwrap_or(shown.get_name()).to_owned();
    let help = shown.clone().render_long_help().to_string();
    let help: String = help.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    *page += &format!("\n## {name}\n\n```text\n{help}```\n");
    command.get_subcommands().filter(|command| !command.is_hide_set()).for_each(|command| add(page, command, true));
}

fn hidden_if_global(arg: clap::Arg) -> clap::Arg {
    let hide = arg.is_global_set() || arg.get_id() == "help";
    arg.hide(hide)
}
