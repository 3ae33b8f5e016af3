@0xf1a3c7d25b9e4860;
# The one type that flows: every input, output, program, trace and suspended machine is an Artifact.
# Normal form: empty means unset; attributes sorted by key, keys unique; then Cap'n Proto canonical form, one segment.

struct Artifact {
  id @0 :Text;              # UUIDv7
  checksum @1 :Data;        # BLAKE3-256 of the canonical bytes with checksum and signature empty
  pubkey @2 :Data;          # Ed25519, of the signer
  version @3 :Text;         # v0.0.1
  type @4 :Text;            # media type of the payload
  timestamp @5 :UInt64;     # unix nanoseconds
  origin @6 :Text;          # who made it
  role @7 :Text;            # what it is to those who take it
  scope @8 :Text;           # who may see it
  attributes @9 :List(Attribute);
  payload @10 :Data;
  signature @11 :Data;      # Ed25519, over a domain string and the bytes that the checksum covers
}

struct Attribute {
  key @0 :Text;
  value @1 :Text;
}

# The payload of type application/vnd.aivm.parts: several values in order, by reference.
struct Parts {
  parts @0 :List(Part);
}

struct Part {
  name @0 :Text;            # of the step or element that made it
  artifact @1 :Data;        # checksum
  verdict @2 :Text;
}
