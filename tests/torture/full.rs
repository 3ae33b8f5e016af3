//! The disk of the store is full, at every fill: the program says so with a code, and what it began goes on once there is room.

use super::ground::{Form, Tally, end, try_all};
use super::subject::{self, Subject};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// A small disk of its own.
struct Disk(tempfile::TempDir);

/// Its size, in KiB.
const SIZE: u64 = 2_048;

impl Disk {
    /// None where nobody may mount.
    fn new() -> Option<Disk> {
        let dir = tempfile::tempdir().expect("a folder");
        let size = format!("size={SIZE}k");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Disk(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).output();
    }
}

fn fill(subject: &Subject, free: u64, disk: &Disk) -> Result<Tally, String> {
    let place = subject.place().with_state(disk.path().join("store"));
    std::fs::write(disk.ballast(), vec![1; ((SIZE - free) << 10) as usize]).expect("the ballast fits");
    let said = place.call(None, &subject.start());
    let wrong = |what: String| format!("{} with {free} KiB free: {what}", subject.name);
    let mut tally = Tally::default();
    tally.add("fills", 1);
    if said.is_unclean() {
        return Err(wrong(format!("it ends uncleanly: {}", said.show())));
    }
    match said.code {
        Some(0) => tally.add("fits", 1),
        _ if said.error().len() == 5 => tally.add("refused", 1),
        _ => return Err(wrong(format!("no code says why: {}", said.show()))),
    }
    std::fs::remove_file(disk.ballast()).expect("there is room again");
    let came = subject.go_on(&place, said, Vec::new(), true).map_err(wrong)?;
    let ended = came.end.as_ref().ok_or("it ends")?;
    if !subject.is_same(ended) {
        return Err(wrong(format!("it ended otherwise: {ended:?}")));
    }
    tally.add("unknown", came.unknown.values().sum());
    tally.add("never_began", came.begun_again);
    std::fs::remove_dir_all(place.state()).expect("the store goes");
    Ok(tally)
}

#[test]
fn a_full_disk_is_reported_and_the_run_goes_on_when_there_is_room() {
    let form = Form::of_environment();
    let disks: Vec<Disk> = (0..2).map_while(|_| Disk::new()).collect();
    if disks.len() < 2 {
        println!("skipped: nobody may mount here");
        return;
    }
    let disks = Mutex::new(disks);
    let subjects = match form {
        Form::Short => vec![subject::one("classes")],
        _ => vec![subject::one("classes"), subject::one("large"), subject::one("undo-all")],
    };
    let fills: Vec<(&Subject, u64)> = subjects
        .iter()
        .flat_map(|subject| (0..1_000).step_by(form.pick(200, 12, 4)).map(move |free| (subject, free)))
        .collect();
    let halves: Vec<&[(&Subject, u64)]> = fills.chunks(fills.len().div_ceil(2)).collect();
    let (tally, wrong) = try_all(&halves, |fills| {
        let disk = disks.lock().expect("no try panics").pop().expect("one for each half");
        let mut tally = Tally::default();
        for (subject, free) in *fills {
            tally.take_in(fill(subject, *free, &disk)?);
        }
        Ok(tally)
    });
    let least: &[(&str, u64)] = match form {
        Form::Short => &[("fills", 5)],
        _ => &[("fills", 200), ("refused", 50), ("fits", 20), ("unknown", 5)],
    };
    end("full", &tally, &wrong, least);
}
