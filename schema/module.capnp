@0xd2c8b64f0e91a735;
# A program: code and tables. See src/module.rs for what each field means; optional numbers are stored plus one, 0 is none.

struct Module {
  format @0 :UInt16;
  code @1 :List(UInt64);
  words @2 :List(Text);
  functions @3 :List(Function);
  stages @4 :List(Stage);
  steps @5 :List(Step);
  workers @6 :List(Worker);
  behaviours @7 :List(Behaviour);
  calls @8 :UInt64;
  money @9 :UInt64;
  tokens @10 :UInt64;
  params @11 :List(Param);
  concurrent @12 :UInt32;
}

struct Param {
  name @0 :Text;
  definition @1 :Text;
}

struct Function {
  name @0 :Text;
  entry @1 :UInt32;
  end @2 :UInt32;
  firstStage @3 :UInt16;
  stages @4 :UInt16;
  firstStep @5 :UInt16;
  steps @6 :UInt16;
  registers @7 :UInt16;
  counters @8 :List(UInt16);
  verdicts @9 :List(UInt16);
}

struct Stage {
  key @0 :Text;
  kind @1 :UInt8;
  around @2 :UInt16;
  deadlineMs @3 :UInt64;
  money @4 :UInt64;
  tokens @5 :UInt64;
  input @6 :UInt16;
  output @7 :UInt16;
  firstCounter @8 :UInt16;
  counters @9 :UInt16;
  handlerKinds @10 :UInt8;
  handlerCounter @11 :UInt16;
  handlerTarget @12 :UInt32;
  chooser @13 :UInt16;
  names @14 :List(UInt16);
}

struct Step {
  name @0 :Text;
  stage @1 :UInt16;
  worker @2 :UInt16;
  function @3 :UInt16;
  behaviours @4 :List(UInt16);
  deadlineMs @5 :UInt64;
  money @6 :UInt64;
  tokens @7 :UInt64;
  input @8 :UInt16;
  output @9 :UInt16;
  undoWorker @10 :UInt16;
  undoFunction @11 :UInt16;
  verdicts @12 :List(UInt16);
}

struct Worker {
  name @0 :Text;
  definition @1 :Text;
  money @2 :UInt64;
  tokens @3 :UInt64;
}

struct Behaviour {
  name @0 :Text;
  definition @1 :Text;
}

# The payload of type application/vnd.aivm.debug: where the nodes of a module were written.
struct Debug {
  module @0 :Data;          # content digest of the module that it belongs to
  files @1 :List(File);
  stages @2 :List(Place);
  steps @3 :List(Place);
}

struct File {
  name @0 :Text;
  source @1 :Text;
}

struct Place {
  file @0 :UInt16;
  start @1 :UInt32;
  end @2 :UInt32;
}
