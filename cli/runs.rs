//! The commands on runs. All but `self_test` work on the store of the project: `journal` opens and finds a run for those that
//! look, `resume` lets one go on for those that change it.

pub mod all;
pub mod approve;
pub mod cancel;
pub mod diff;
pub mod fork;
pub mod gc;
pub mod journal;
pub mod list;
pub mod logs;
pub mod once;
pub mod portable;
pub mod resume;
pub mod rollback;
pub mod self_test;
pub mod show;
pub mod upgrade;
pub mod why;
