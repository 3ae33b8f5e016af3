@0xc5a9d1f07be24863;
# What passes between a run and a plugin worker, over the plugin's standard input and output. Each frame is a length, four bytes, the
# least first, and then one Frame in Cap'n Proto's usual form for streams. When its standard input ends, a plugin ends.

struct Frame {
  union {
    hello @0 :Hello;       # the first frame each way
    call @1 :Call;         # to the plugin
    result @2 :Result;     # from the plugin, once for each call, in any order
    cancel @3 :UInt64;     # to the plugin: nobody waits for the result of this call any more
  }
}

struct Hello {
  protocol @0 :UInt16;     # 1
  name @1 :Text;           # who speaks
}

struct Call {
  id @0 :UInt64;           # of this call, in this process
  step @1 :Text;           # its place in the run
  key @2 :Text;            # its idempotency key
  run @3 :Text;
  attempt @4 :UInt32;      # 1, and one more for each retry
  outcomes @5 :List(Text); # the words that it may answer
  settings @6 :Text;       # `with`, as a JSON object
  deadlineMs @7 :UInt64;   # 0: none
  input @8 :Data;          # an Artifact
  parts @9 :List(Part);    # the values that it has, when it has several
}

struct Part {
  name @0 :Text;
  verdict @1 :Text;
  artifact @2 :Data;       # an Artifact
}

struct Result {
  id @0 :UInt64;
  union {
    output @1 :Output;
    failure @2 :Text;      # why
  }
  microdollars @3 :UInt64; # what it cost
  tokens @4 :UInt64;       # what it used
}

struct Output {
  outcome @0 :Text;        # one of the outcomes; empty: it said nothing
  type @1 :Text;           # media type of the payload; empty: as its definition says
  payload @2 :Data;
}
