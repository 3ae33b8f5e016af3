@0xb6e1f0a7c94d2358;
# The records of one run's journal, each chained to the one before. See src/journal.rs for what each field means; hashes are 32
# bytes, times unix nanoseconds; optional numbers are stored plus one, 0 is none.

struct Record {
  at @0 :UInt64;
  union {
    runStarted @1 :RunStarted;
    intent @2 :Intent;
    outcome @3 :Outcome;
    unknown @4 :UInt64;
    resolved @5 :Resolved;
    timerFired @6 :UInt64;
    cancelRequested @7 :Text;
    limitsRaised @8 :Limits;
    checkpoint @9 :Data;
    parked @10 :Text;
    runFinished @11 :RunFinished;
    approvalRequested @14 :ApprovalRequested;
    approvalDecided @15 :ApprovalDecided;
    rollbackRequested @16 :RollbackRequested;
    upgraded @17 :Data;
  }
  yields @12 :UInt64;
  together @13 :Bool;
}

struct RunStarted {
  run @0 :Text;
  program @1 :Data;
  file @2 :Text;
  input @3 :Data;
  limits @4 :Limits;
  timeoutMs @5 :UInt64;
  workspace @6 :Text;
  params @7 :List(Param);
  mock @8 :Bool;
  principal @9 :Text;
  version @10 :Text;
  forked @11 :Forked;
  cassette @12 :Cassette;
}

struct Cassette {
  file @0 :Text;
  replay @1 :Bool;
}

struct Forked {
  run @0 :Text;
  key @1 :Text;
  input @2 :Data;
}

struct Param {
  name @0 :Text;
  value @1 :Text;
}

struct Limits {
  calls @0 :UInt64;
  money @1 :UInt64;
  tokens @2 :UInt64;
}

struct Intent {
  request @0 :UInt64;
  key @1 :Text;
  attempt @2 :UInt32;
  worker @3 :Text;
  effect @4 :UInt8;
  digest @5 :Data;
  expires @6 :UInt64;
  undo @7 :Text;
  deadlineMs @8 :UInt64;
  money @9 :UInt64;
  tokens @10 :UInt64;
}

struct Outcome {
  request @0 :UInt64;
  key @1 :Text;
  attempt @2 :UInt32;
  worker @3 :Text;
  artifact @4 :Data;
  verdict @5 :Text;
  kind @6 :UInt8;
  error @7 :Error;
  money @8 :UInt64;
  tokens @9 :UInt64;
  micros @10 :UInt64;
  taken @11 :Text;
  outputTokens @12 :UInt64;
  waitedMs @13 :UInt64;
}

struct Error {
  code @0 :Text;
  message @1 :Text;
  step @2 :Text;
}

struct Resolved {
  request @0 :UInt64;
  how @1 :UInt8;
  by @2 :Text;
  output @3 :Data;
}

struct RunFinished {
  status @0 :Text;
  output @1 :Data;
  verdict @2 :Text;
  error @3 :Error;
  notUndone @4 :List(Text);
}

struct ApprovalRequested {
  request @0 :UInt64;
  key @1 :Text;
  worker @2 :Text;
  question @3 :Text;
  choices @4 :List(Text);
  subject @5 :Data;
  expires @6 :UInt64;
}

struct ApprovalDecided {
  request @0 :UInt64;
  subject @1 :Data;
  verdict @2 :Text;
  comment @3 :Text;
  edited @4 :Data;
  by @5 :Text;
}

struct RollbackRequested {
  to @0 :Text;
  done @1 :List(Text);
  by @2 :Text;
}
