use aivm_lang::library::Shelf;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let source = std::fs::read_to_string(&path).unwrap();
    let shelf = Shelf { anything: true, ..Default::default() };
    match aivm_lang::compile(&path, &source, &shelf) {
        Ok(c) => { for d in &c.warnings { println!("{} {} {:?}", d.code, d.message, d.reason); } print!("{}", c.flow.to_text()); 
          for (i, w) in c.module.code.iter().enumerate() { println!("{i:4} {:?}", aivm_schema::isa::Instruction::decode(*w)); }
        }
        Err(e) => for d in e { println!("{} {} {:?} {:?}", d.code, d.message, d.primary.span, d.help); }
    }
}
