/// Every page of `docs/errors`, by code.
const PAGES: &[(&str, &str)] = &[];
