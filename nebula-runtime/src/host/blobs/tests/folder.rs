//! Blobs in the files of a folder.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

#[tokio::test]
async fn blobs_in_a_folder_keep_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    conformance::check(Arc::new(ObjectBlobs::folder(folder.path().join("a/b")))).await;
}

#[tokio::test]
async fn the_folder_is_made_when_a_blob_is_first_written_and_people_find_their_files_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = ObjectBlobs::folder(folder.path().join("pictures"));
    assert_eq!(get(&blobs, "cats/tom.png").await.unwrap(), None);
    assert_eq!(blobs.list("").try_collect::<Vec<_>>().await.unwrap(), []);
    blobs.delete("cats/tom.png").await.unwrap();
    assert!(!folder.path().join("pictures").exists(), "nothing was written yet");
    put(&blobs, "cats/tom.png", "tom").await.unwrap();
    put(&blobs, "cats", "both").await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("pictures/cats%2F/tom.png")).unwrap(), "tom");
    assert_eq!(fs::read_to_string(folder.path().join("pictures/cats")).unwrap(), "both");
    blobs.delete("cats/tom.png").await.unwrap();
    assert!(!folder.path().join("pictures/cats%2F").exists(), "an empty folder stays");
}

#[tokio::test]
async fn two_processes_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (ObjectBlobs::folder(folder.path()), ObjectBlobs::folder(folder.path()));
    put(&one, "a", "1").await.unwrap();
    assert_eq!(get(&other, "a").await.unwrap(), Some("1".into()));
}

/// A blob that is given up leaves no file, whatever part of it was written.
#[tokio::test]
async fn a_blob_that_is_given_up_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = ObjectBlobs::folder(folder.path());
    let pieces = stream::iter((0..100).map(|_| Ok(Bytes::from(vec![1; 100_000]))));
    let endless = pieces.chain(stream::pending());
    let _ = tokio::time::timeout(std::time::Duration::from_millis(100), blobs.put("a", endless.boxed())).await;
    while fs::read_dir(folder.path()).unwrap().next().is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_error_names_no_path_and_its_cause_does() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = put(&ObjectBlobs::folder(file.join("blobs")), "a", "1").await.unwrap_err();
    assert_eq!(error.to_string(), "the folder of the service cannot be made");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("Not a directory"));

    let locked = folder.path().join("locked");
    let blobs = ObjectBlobs::folder(&locked);
    put(&blobs, "a", "1").await.unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(locked.join("root"), "").is_ok() {
        return; // Root writes everywhere.
    }
    let error = put(&blobs, "b", "1").await.unwrap_err();
    assert_eq!(error.to_string(), "the service failed to write a blob");
    assert_eq!(get(&blobs, "a").await.unwrap(), Some("1".into()));
}

#[tokio::test]
async fn a_file_of_another_program_under_the_name_of_an_unfinished_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = ObjectBlobs::folder(folder.path());
    fs::write(folder.path().join("a#1"), "of another program").unwrap();
    put(&blobs, "a", "1").await.unwrap();
    assert_eq!(get(&blobs, "a").await.unwrap(), Some("1".into()));
    assert_eq!(fs::read_to_string(folder.path().join("a#1")).unwrap(), "of another program");
    assert_eq!(blobs.list("").try_collect::<Vec<_>>().await.unwrap().len(), 1);
}
