//! The links of the documentation: each leads to an existing file, and to a heading in it. A page of the site (`docs/`)
//! links only to pages of the site. The site's table of contents lists every page.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Folders that hold no documentation of Nebula.
const SKIPPED: [&str; 4] = ["target", "node_modules", ".git", "templates"];

#[test]
fn the_documentation_has_no_broken_link() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    assert_eq!(faults(repository), [""; 0]);
}

#[test]
fn broken_links_and_pages_outside_the_table_of_contents_are_found() {
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
    assert_eq!(faults(folder.path()), expected);
}

/// The faults of all links in the Markdown files of a folder.
fn faults(root: &Path) -> Vec<String> {
    let mut pages = Vec::new();
    find_pages(root, &mut pages);
    pages.sort();
    let contents = root.join("docs/SUMMARY.md");
    let in_contents: Vec<_> = Page::read(&contents).links.iter().map(|link| contents.with_file_name(link)).collect();
    let mut faults = Vec::new();
    for path in &pages {
        let name = path.strip_prefix(root).unwrap().display();
        let is_of_site = path.starts_with(root.join("docs"));
        if is_of_site && *path != contents && !in_contents.contains(path) {
            faults.push(format!("{name} is not in docs/SUMMARY.md"));
        }
        let site = is_of_site.then(|| root.join("docs"));
        let links = Page::read(path).links;
        faults.extend(
            links.iter().filter_map(|link| Some(format!("{name}: {link} {}", fault(path, link, site.as_deref())?))),
        );
    }
    faults
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

/// The fault of a link in a page, if it has one.
fn fault(page: &Path, link: &str, site: Option<&Path>) -> Option<&'static str> {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target = if file.is_empty() { Ok(page.to_owned()) } else { page.with_file_name(file).canonicalize() };
    let Ok(target) = target else { return Some("does not exist") };
    if site.is_some_and(|site| !target.starts_with(site.canonicalize().unwrap())) && !file.is_empty() {
        return Some("is not a page of the site");
    }
    let exists = heading.is_none_or(|heading| Page::read(&target).headings.iter().any(|known| known == heading));
    (!exists).then_some("is not a heading there")
}

/// The links of a Markdown file, and its headings as they are written in links.
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

/// A heading as mdBook and code hosts write it in a link.
fn identifier(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || "_- ".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect::<String>().to_lowercase()
}
