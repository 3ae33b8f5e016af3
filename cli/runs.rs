//! The commands on runs. All but `self_test` work on the store of the project: `find` finds a run, `journal` opens it for those
//! that look, `resume` lets one go on for those that change it.

pub mod all;
pub mod approve;
pub mod cancel;
pub mod diff;
pub mod find;
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
