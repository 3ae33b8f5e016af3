use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn sources(folder: &Path, source: Source) -> Sources {
    Sources { all: [("docs".to_owned(), source)].into(), project: folder.to_owned(), allowed: Vec::new() }
}

fn docs(path: &str) -> Source {
    Source { path: path.to_owned(), recursive: true, ..Source::default() }
}

fn names(sources: &Sources) -> Vec<String> {
    let mut names = Vec::new();
    let heard = sources.each("docs", &mut |file| {
        names.push(file.path);
        Ok(true)
    });
    heard.expect("reads");
    names
}

fn code(sources: &Sources) -> String {
    let error = sources.each("docs", &mut |_| Ok(true)).expect_err("refused").to_string();
    error.split(':').next().unwrap_or_default().to_owned()
}

const ALL: Bound = Bound { files: 1_000, bytes: 1 << 20, text: true, strict: false };

#[test]
fn files_are_found_in_order_and_by_their_filters() {
    let dir = tempfile::tempdir().expect("a folder");
    for name in ["b.md", "a.txt", "in/c.md", "in/deep/d.md", ".hidden/e.md", "in/.f.md"] {
        write(dir.path(), &format!("docs/{name}"), name);
    }
    let with = |filters: &[&str], recursive| {
        let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
        names(&sources(dir.path(), Source { filters, recursive, ..docs("docs") }))
    };
    assert_eq!(with(&[], true), ["a.txt", "b.md", "in/c.md", "in/deep/d.md"]);
    assert_eq!(with(&[], false), ["a.txt", "b.md"]);
    for (filter, found) in [
        ("*.md", &["b.md", "in/c.md", "in/deep/d.md"][..]),
        ("in/*.md", &["in/c.md"]),
        ("in/**", &["in/c.md", "in/deep/d.md"]),
        ("**/d.md", &["in/deep/d.md"]),
        ("/b.md", &["b.md"]),
        ("[ab].*", &["a.txt", "b.md"]),
        ("[!a].md", &["b.md", "in/c.md", "in/deep/d.md"]),
        ("?.txt", &["a.txt"]),
        ("(.*", &[]),
        ("[a", &[]),
        ("b.md$|.*", &[]),
    ] {
        assert_eq!(with(&[filter], true), found, "{filter}");
    }
    assert_eq!(with(&["a.*", "in/c.md"], true), ["a.txt", "in/c.md"]);
}

#[test]
fn what_is_outside_needs_two_words_and_neither_is_a_links() {
    let (dir, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    write(outside.path(), "base/docs/a.md", "a");
    let path = outside.path().join("base/docs").display().to_string();
    assert_eq!(code(&sources(dir.path(), docs(&path))), "E0843");
    let external = Source { allow_external: true, ..docs(&path) };
    let mut asked = sources(dir.path(), external.clone());
    assert_eq!(code(&asked), "E0843");
    // What begins alike is another folder.
    asked.allowed = vec![outside.path().join("bas"), outside.path().join("base/do")];
    assert_eq!(code(&asked), "E0843");
    asked.allowed = vec![outside.path().join("base")];
    assert_eq!(names(&asked), ["a.md"]);
    // Within the project an absolute path is one of the project.
    write(dir.path(), "docs/b.md", "b");
    assert_eq!(names(&sources(dir.path(), docs(&dir.path().join("docs").display().to_string()))), ["b.md"]);
    // Links lead nowhere: on the way, at its end, in it.
    symlink(outside.path().join("base"), dir.path().join("way")).expect("a link");
    assert_eq!(code(&sources(dir.path(), docs("way/docs"))), "E0842");
    symlink(outside.path().join("base/docs"), dir.path().join("end")).expect("a link");
    assert_eq!(code(&sources(dir.path(), docs("end"))), "E0842");
    symlink(outside.path().join("base/docs"), dir.path().join("docs/folder")).expect("a link");
    symlink(outside.path().join("base/docs/a.md"), dir.path().join("docs/file.md")).expect("a link");
    assert_eq!(names(&sources(dir.path(), docs("docs"))), ["b.md"]);
    symlink(dir.path(), outside.path().join("base/way")).expect("a link");
    asked.all = [("docs".to_owned(), Source { path: format!("{path}/../way/docs"), ..external })].into();
    assert_eq!(code(&asked), "E0842");
    for path in ["docs/../..", "../x", ".aivm", "docs/.git", "gone", "docs/b.md"] {
        assert_eq!(code(&sources(dir.path(), docs(path))), "E0842", "{path}");
    }
    assert_eq!(code(&Sources::default()), "E0841");
}

/// A folder on the way is a link to a secret every other moment.
#[test]
fn a_link_that_is_swapped_in_while_it_is_read_shows_nothing_of_what_it_leads_to() {
    let (dir, outside) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    for n in 0..5 {
        write(dir.path(), &format!("docs/in/{n}.md"), "fine");
        write(outside.path(), &format!("{n}.md"), "SECRET");
        write(outside.path(), &format!("in/{n}.md"), "SECRET");
    }
    let (place, aside) = (dir.path().join("docs/in"), dir.path().join("aside"));
    let (root, root_aside) = (dir.path().join("docs"), dir.path().join("root"));
    let done = AtomicBool::new(false);
    let mut read = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut turn = 0u64;
            while !done.load(Ordering::Relaxed) {
                turn += 1;
                let (place, aside, to) = match turn % 2 {
                    0 => (&place, &aside, outside.path().to_owned()),
                    _ => (&root, &root_aside, outside.path().to_owned()),
                };
                fs::rename(place, aside).expect("moved");
                symlink(to, place).expect("a link");
                std::thread::yield_now();
                fs::remove_file(place).expect("unlinked");
                fs::rename(aside, place).expect("moved back");
                std::thread::yield_now();
            }
        });
        let asked = sources(dir.path(), docs("docs"));
        // On a machine with much else to do, it may take a while until one falls between the swaps.
        for nth in 0..500_000 {
            if nth >= 5_000 && read > 0 {
                break;
            }
            match asked.seen(&["docs".to_owned()], ALL) {
                Ok(seen) => {
                    read += seen.files.len();
                    for file in seen.files {
                        assert_eq!(file.payload, b"fine", "{}", file.name);
                    }
                }
                Err(SourceError::Unreadable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(read > 0, "some were read between the swaps");
}

#[test]
fn what_does_not_fit_is_told() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), "docs/a.md", "x".repeat(60));
    write(dir.path(), "docs/b.md", "x".repeat(60));
    write(dir.path(), "docs/c.md", "x".repeat(30));
    write(dir.path(), "docs/d.png", [0xff, 0xfe]);
    write(dir.path(), "docs/e", [0xff, 0xfe]);
    let asked = sources(dir.path(), docs("docs"));
    let seen = asked.seen(&["docs".to_owned()], Bound { bytes: 100, ..ALL }).expect("reads");
    let shown: Vec<&str> = seen.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(shown, ["docs/a.md", "docs/c.md"]);
    let left: Vec<(&str, u64)> = seen.left.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    assert_eq!(left, [("docs/b.md", 60), ("docs/d.png", 2), ("docs/e", 2)]);
    let strict = Bound { files: 4, text: false, strict: true, ..ALL };
    assert!(matches!(asked.seen(&["docs".to_owned()], strict), Err(SourceError::TooLarge { .. })));
    let all = asked.seen(&["docs".to_owned()], Bound { files: 5, ..strict }).expect("reads");
    assert_eq!(all.files.len(), 5);
    assert_eq!(all.files[3].media_type, "image/png");
}

#[test]
fn a_copy_follows_its_source() {
    let dir = tempfile::tempdir().expect("a folder");
    let copy = dir.path().join("state/sources/docs");
    for name in ["a.md", "in/b.md", "in/c.md"] {
        write(dir.path(), &format!("docs/{name}"), name);
    }
    let asked = sources(dir.path(), docs("docs"));
    let sync = |dry| asked.sync("docs", &copy, dry).expect("syncs");
    assert_eq!(sync(true).written.len(), 3);
    assert!(!copy.exists());
    assert_eq!(sync(false).written, ["a.md", "in/b.md", "in/c.md"]);
    assert_eq!(fs::read(copy.join("in/b.md")).expect("a file"), b"in/b.md");
    assert_eq!(sync(false), Synced { same: 3, ..Synced::default() });
    // The same content at another time is the same; another of the same size is not.
    write(dir.path(), "docs/a.md", "a.md");
    write(dir.path(), "docs/in/b.md", "IN/B.MD");
    fs::remove_file(dir.path().join("docs/in/c.md")).expect("gone");
    let dry = sync(true);
    assert_eq!(
        (dry.written.as_slice(), dry.removed.as_slice(), dry.same),
        (&["in/b.md".to_owned()][..], &["in/c.md".to_owned()][..], 1)
    );
    assert_eq!(fs::read(copy.join("in/b.md")).expect("a file"), b"in/b.md");
    assert_eq!(sync(false), dry);
    assert_eq!(fs::read(copy.join("in/b.md")).expect("a file"), b"IN/B.MD");
    assert!(!copy.join("in/c.md").exists());
    // A file becomes a folder and a folder a file; a link that stands in the copy is replaced, not followed.
    fs::remove_file(dir.path().join("docs/a.md")).expect("gone");
    write(dir.path(), "docs/a.md/x", "x");
    fs::remove_dir_all(dir.path().join("docs/in")).expect("gone");
    write(dir.path(), "docs/in", "in");
    write(dir.path(), "elsewhere/x", "mine");
    fs::remove_file(copy.join("a.md")).expect("gone");
    symlink(dir.path().join("elsewhere"), copy.join("a.md")).expect("a link");
    sync(false);
    assert_eq!(fs::read(copy.join("a.md/x")).expect("a file"), b"x");
    assert_eq!(fs::read(copy.join("in")).expect("a file"), b"in");
    assert_eq!(fs::read(dir.path().join("elsewhere/x")).expect("a file"), b"mine");
}
