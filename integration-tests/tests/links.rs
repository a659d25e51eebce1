//! The links of the documentation: each leads to a file that exists, and to a heading that is in it. A page of the
//! site, docs/, links only to other pages of the site, and each page is in its table of contents.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Folders without documentation of our own.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", "templates"];

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    assert_eq!(broken(repository), [""; 0]);
}

#[test]
fn a_link_to_nowhere_and_a_page_outside_the_table_of_contents_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        fs::write(folder.path().join(path), text).unwrap();
    };
    write(
        "README.md",
        "# A `b` c!\n[1](docs/start.md#it-starts) [2](#a-b-c) [3](https://x.test/y) [4](gone.md) [5](#gone)",
    );
    write("docs/SUMMARY.md", "[Start](start.md)");
    write("docs/start.md", "# It starts\n[out](../README.md) ![](gone.png)\n\n[other](other.md#gone)");
    write("docs/other.md", "`[no link](gone.md)`");
    let expected = [
        "README.md: gone.md does not exist",
        "README.md: #gone is not a heading there",
        "docs/other.md is not in docs/SUMMARY.md",
        "docs/start.md: ../README.md is not a page of the site",
        "docs/start.md: gone.png does not exist",
        "docs/start.md: other.md#gone is not a heading there",
    ];
    assert_eq!(broken(folder.path()), expected);
}

/// What is wrong with the links of all Markdown files in a folder.
fn broken(root: &Path) -> Vec<String> {
    let mut pages = Vec::new();
    find_pages(root, &mut pages);
    pages.sort();
    let contents = root.join("docs/SUMMARY.md");
    let in_contents: Vec<_> = Page::read(&contents).links.iter().map(|link| contents.with_file_name(link)).collect();
    let mut broken = Vec::new();
    for path in &pages {
        let name = path.strip_prefix(root).unwrap().display();
        let is_of_site = path.starts_with(root.join("docs"));
        if is_of_site && *path != contents && !in_contents.contains(path) {
            broken.push(format!("{name} is not in docs/SUMMARY.md"));
        }
        let site = is_of_site.then(|| root.join("docs"));
        let links = Page::read(path).links;
        broken.extend(
            links.iter().filter_map(|link| Some(format!("{name}: {link} {}", fault(path, link, site.as_deref())?))),
        );
    }
    broken
}

fn find_pages(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !SKIPPED.iter().any(|skipped| path.ends_with(skipped)) {
            find_pages(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

/// What is wrong with a link of a page, if anything is.
fn fault(page: &Path, link: &str, site: Option<&Path>) -> Option<&'static str> {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = if file.is_empty() { Ok(page.to_owned()) } else { page.with_file_name(file).canonicalize() };
    let Ok(target) = target else { return Some("does not exist") };
    if site.is_some_and(|site| !target.starts_with(site.canonicalize().unwrap())) && !file.is_empty() {
        return Some("is not a page of the site");
    }
    let is_there = heading.is_none_or(|heading| Page::read(&target).headings.iter().any(|there| there == heading));
    (!is_there).then_some("is not a heading there")
}

/// What a Markdown file links to, and what can be linked to in it.
#[derive(Default)]
struct Page {
    links: Vec<String>,
    headings: Vec<String>,
}

impl Page {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (mut page, mut heading) = (Self::default(), None);
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) if !dest_url.contains(':') => {
                    page.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.headings.extend(heading.take().as_deref().map(identifier)),
                Event::Text(text) | Event::Code(text) => heading.iter_mut().for_each(|heading| heading.push_str(&text)),
                _ => {}
            }
        }
        page
    }
}

/// What mdBook and code hosts make of a heading in a link.
fn identifier(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || "_- ".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect::<String>().to_lowercase()
}
