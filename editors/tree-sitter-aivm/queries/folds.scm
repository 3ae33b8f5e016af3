[(front_matter) (definition) (program) (stage)] @fold
