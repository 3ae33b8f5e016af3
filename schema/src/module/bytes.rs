//! A module as bytes: canonical Cap'n Proto, and the `.aivmc` file around it. Decoding checks form and sizes; whether the
//! program makes sense is the verifier's.

use super::*;
use crate::artifact::{Artifact, ArtifactError, Draft};
use crate::isa::FORMAT;
use crate::limits;
use crate::module_capnp as wire;
use crate::wire::{canonical, none16, none64, open, set, some16, some64};
use capnp::message::{Builder, HeapAllocator};

/// The media type of a module.
pub const MEDIA_TYPE: &str = "application/vnd.aivm.module";
/// The attribute of a module's artifact that names the artifact of its debug information.
pub const DEBUG: &str = "debug";
/// The media type of debug information.
pub const DEBUG_MEDIA_TYPE: &str = "application/vnd.aivm.debug";

/// Why bytes are no module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModuleError {
    /// Not Cap'n Proto, cut short, or text that is not UTF-8.
    #[error("E0601: not a module: {0}")]
    Malformed(String),
    /// Over 4 MiB.
    #[error("E0602: the module is {size} bytes large: at most {most}", most = limits::MODULE)]
    TooLarge {
        /// How large.
        size: usize,
    },
    /// Written by another version of this program.
    #[error(
        "E0603: the module has format {found}, and this program reads {FORMAT}: compile the source anew with `aivm compile`"
    )]
    Format {
        /// Its format.
        found: u16,
    },
    /// The same program has one form, and this is another.
    #[error("E0604: the module is not in canonical form")]
    NotCanonical,
    /// The file around it.
    #[error("E0605: the file holds no module: {0}")]
    Artifact(#[from] ArtifactError),
    /// An artifact of another type.
    #[error("E0606: the file holds `{}`, not a module", .0.escape_debug())]
    OtherType(String),
}

impl From<capnp::Error> for ModuleError {
    fn from(error: capnp::Error) -> ModuleError {
        ModuleError::Malformed(error.kind.to_string())
    }
}

impl Module {
    /// The canonical bytes: equal programs have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut message = Builder::new(HeapAllocator::new().first_segment_words((self.code.len() * 3 + 1_024) as u32));
        let mut module = message.init_root::<wire::module::Builder<'_>>();
        module.set_format(FORMAT);
        set!(module.init_code, self.code);
        if !self.words.is_empty() {
            let mut words = module.reborrow().init_words(self.words.len() as u32);
            for (at, word) in self.words.iter().enumerate() {
                words.set(at as u32, word.as_str());
            }
        }
        module.set_calls(some64(self.limits.calls));
        module.set_money(some64(self.limits.money));
        module.set_tokens(some64(self.limits.tokens));
        module.set_concurrent(self.concurrent.map_or(0, NonZeroU32::get));
        let mut list = module.reborrow().init_functions(self.functions.len() as u32);
        for (at, function) in self.functions.iter().enumerate() {
            put_function(list.reborrow().get(at as u32), function);
        }
        if !self.stages.is_empty() {
            let mut list = module.reborrow().init_stages(self.stages.len() as u32);
            for (at, stage) in self.stages.iter().enumerate() {
                put_stage(list.reborrow().get(at as u32), stage);
            }
        }
        if !self.steps.is_empty() {
            let mut list = module.reborrow().init_steps(self.steps.len() as u32);
            for (at, step) in self.steps.iter().enumerate() {
                put_step(list.reborrow().get(at as u32), step);
            }
        }
        if !self.workers.is_empty() {
            let mut list = module.reborrow().init_workers(self.workers.len() as u32);
            for (at, worker) in self.workers.iter().enumerate() {
                let mut row = list.reborrow().get(at as u32);
                set!(row.set_name = worker.name);
                set!(row.set_definition = worker.definition);
                row.set_money(some64(worker.money));
                row.set_tokens(some64(worker.tokens));
            }
        }
        if !self.behaviours.is_empty() {
            let mut list = module.reborrow().init_behaviours(self.behaviours.len() as u32);
            for (at, behaviour) in self.behaviours.iter().enumerate() {
                let mut row = list.reborrow().get(at as u32);
                set!(row.set_name = behaviour.name);
                set!(row.set_definition = behaviour.definition);
            }
        }
        if !self.params.is_empty() {
            let mut list = module.reborrow().init_params(self.params.len() as u32);
            for (at, param) in self.params.iter().enumerate() {
                let mut row = list.reborrow().get(at as u32);
                set!(row.set_name = param.name);
                set!(row.set_definition = param.definition);
            }
        }
        canonical(message)
    }

    /// The module of its canonical bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Module, ModuleError> {
        if bytes.len() > limits::MODULE {
            return Err(ModuleError::TooLarge { size: bytes.len() });
        }
        let segments = [bytes];
        let message = open(&segments).map_err(|reason| ModuleError::Malformed(reason.into()))?;
        let module = message.get_root::<wire::module::Reader<'_>>()?;
        if module.get_format() != FORMAT {
            return Err(ModuleError::Format { found: module.get_format() });
        }
        // After the format: another version may well have another form.
        let module = read(module)?;
        // Stricter than Cap'n Proto's canonical form: what no module says must not stand there either.
        if module.to_bytes() != bytes { Err(ModuleError::NotCanonical) } else { Ok(module) }
    }

    /// The program's identity: layout, comments and file names are not in it.
    pub fn digest(&self) -> ContentDigest {
        ContentDigest::of(MEDIA_TYPE, &self.to_bytes())
    }
}

fn read(module: wire::module::Reader<'_>) -> Result<Module, ModuleError> {
    Ok(Module {
        code: module.get_code()?.iter().collect(),
        words: rows(module.get_words()?, text)?,
        functions: rows(module.get_functions()?, function)?,
        stages: rows(module.get_stages()?, stage)?,
        steps: rows(module.get_steps()?, step)?,
        workers: rows(module.get_workers()?, |row| {
            Ok(Worker {
                name: text(row.get_name())?,
                definition: text(row.get_definition())?,
                money: none64(row.get_money()),
                tokens: none64(row.get_tokens()),
            })
        })?,
        behaviours: rows(module.get_behaviours()?, |row| {
            Ok(Behaviour { name: text(row.get_name())?, definition: text(row.get_definition())? })
        })?,
        limits: RunLimits {
            calls: none64(module.get_calls()),
            money: none64(module.get_money()),
            tokens: none64(module.get_tokens()),
        },
        params: rows(module.get_params()?, |row| {
            Ok(Param { name: text(row.get_name())?, definition: text(row.get_definition())? })
        })?,
        concurrent: NonZeroU32::new(module.get_concurrent()),
    })
}

/// The rows of a table. Rows may take no room in the message, so their number is held against what ids can name.
fn rows<R, T>(
    list: impl IntoIterator<Item = R, IntoIter: ExactSizeIterator>,
    row: impl FnMut(R) -> Result<T, ModuleError>,
) -> Result<Vec<T>, ModuleError> {
    let list = list.into_iter();
    if list.len() > usize::from(u16::MAX) + 1 {
        return Err(ModuleError::Malformed("a table has too many rows".into()));
    }
    list.map(row).collect()
}

/// Drafts of the artifacts that an `.aivmc` file holds, in order: the module, its debug information.
pub fn drafts(module: &Module, debug: &Debug) -> [Draft; 2] {
    let payload = module.to_bytes();
    let identity = ContentDigest::of(MEDIA_TYPE, &payload);
    let draft = |media_type: &str, role: &str, payload: Vec<u8>| Draft {
        media_type: media_type.into(),
        origin: "aivm".into(),
        role: role.into(),
        scope: "program".into(),
        payload,
        ..Draft::default()
    };
    let debug = Debug { module: Some(identity), ..debug.clone() };
    [draft(MEDIA_TYPE, "module", payload), draft(DEBUG_MEDIA_TYPE, "debug", debug.to_bytes())]
}

/// What an `.aivmc` file holds. Debug information that is damaged or another module's is left out: it only helps to read.
pub fn load(file: &[u8]) -> Result<(Module, Option<Debug>), ModuleError> {
    if file.len() > 4 * limits::MODULE {
        return Err(ModuleError::TooLarge { size: file.len() });
    }
    let (artifact, rest) = Artifact::from_framed(file)?;
    if artifact.media_type() != MEDIA_TYPE {
        return Err(ModuleError::OtherType(artifact.media_type().to_owned()));
    }
    let module = Module::from_bytes(artifact.payload())?;
    let debug = Artifact::from_framed(rest).ok().filter(|(debug, _)| debug.media_type() == DEBUG_MEDIA_TYPE);
    let debug = debug.and_then(|(debug, _)| Debug::from_bytes(debug.payload()).ok());
    Ok((module, debug.filter(|debug| debug.module == Some(artifact.content_digest()))))
}

impl Debug {
    /// The canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut message = Builder::new_default();
        let mut root = message.init_root::<wire::debug::Builder<'_>>();
        if let Some(module) = self.module {
            root.set_module(&module.0);
        }
        let mut files = root.reborrow().init_files(self.files.len() as u32);
        for (at, (name, source)) in self.files.iter().enumerate() {
            let mut row = files.reborrow().get(at as u32);
            set!(row.set_name = name);
            set!(row.set_source = source);
        }
        let put = |mut list: capnp::struct_list::Builder<'_, wire::place::Owned>, places: &[(u16, u32, u32)]| {
            for (at, (file, start, end)) in places.iter().enumerate() {
                let mut row = list.reborrow().get(at as u32);
                row.set_file(*file);
                row.set_start(*start);
                row.set_end(*end);
            }
        };
        put(root.reborrow().init_stages(self.stages.len() as u32), &self.stages);
        put(root.reborrow().init_steps(self.steps.len() as u32), &self.steps);
        canonical(message)
    }

    /// The debug information of its bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Debug, ModuleError> {
        let segments = [bytes];
        let message = open(&segments).map_err(|reason| ModuleError::Malformed(reason.into()))?;
        let root = message.get_root::<wire::debug::Reader<'_>>()?;
        let place = |row: wire::place::Reader<'_>| Ok((row.get_file(), row.get_start(), row.get_end()));
        Ok(Debug {
            module: root.get_module()?.try_into().ok().map(ContentDigest),
            files: rows(root.get_files()?, |row| Ok((text(row.get_name())?, text(row.get_source())?)))?,
            stages: rows(root.get_stages()?, place)?,
            steps: rows(root.get_steps()?, place)?,
        })
    }
}

fn text(text: capnp::Result<capnp::text::Reader<'_>>) -> Result<String, ModuleError> {
    Ok(crate::wire::text(text)?)
}

fn words(list: capnp::Result<capnp::primitive_list::Reader<'_, u16>>) -> Result<Vec<WordId>, ModuleError> {
    Ok(list?.iter().map(WordId).collect())
}

fn put_function(mut row: wire::function::Builder<'_>, function: &Function) {
    set!(row.set_name = function.name);
    row.set_entry(function.entry);
    row.set_end(function.end);
    row.set_first_stage(function.stages.0);
    row.set_stages(function.stages.1);
    row.set_first_step(function.steps.0);
    row.set_steps(function.steps.1);
    row.set_registers(function.registers);
    set!(row.init_counters, function.counters);
    let verdicts: Vec<u16> = function.verdicts.iter().map(|word| word.0).collect();
    set!(row.init_verdicts, verdicts);
}

fn function(row: wire::function::Reader<'_>) -> Result<Function, ModuleError> {
    Ok(Function {
        name: text(row.get_name())?,
        entry: row.get_entry(),
        end: row.get_end(),
        stages: (row.get_first_stage(), row.get_stages()),
        steps: (row.get_first_step(), row.get_steps()),
        registers: row.get_registers(),
        counters: row.get_counters()?.iter().collect(),
        verdicts: words(row.get_verdicts())?,
    })
}

fn put_stage(mut row: wire::stage::Builder<'_>, stage: &Stage) {
    set!(row.set_key = stage.key);
    row.set_kind(stage.kind as u8);
    row.set_around(some16(stage.around.map(|id| id.0)));
    row.set_deadline_ms(some64(stage.deadline_ms));
    row.set_money(some64(stage.money));
    row.set_tokens(some64(stage.tokens));
    row.set_input(some16(stage.input.map(|id| id.0)));
    row.set_output(some16(stage.output.map(|id| id.0)));
    row.set_first_counter(stage.counters.0);
    row.set_counters(stage.counters.1);
    if let Some(handler) = stage.handler {
        row.set_handler_kinds(handler.kinds.0);
        row.set_handler_counter(some16(handler.counter.map(|id| id.0)));
        row.set_handler_target(handler.target);
    }
    row.set_chooser(some16(stage.chooser.map(|id| id.0)));
    let names: Vec<u16> = stage.names.iter().map(|word| word.0).collect();
    set!(row.init_names, names);
}

fn stage(row: wire::stage::Reader<'_>) -> Result<Stage, ModuleError> {
    let kind = StageKind::ALL.get(usize::from(row.get_kind())).copied();
    let handler = (row.get_handler_kinds() != 0).then(|| Handler {
        kinds: KindSet(row.get_handler_kinds()),
        counter: none16(row.get_handler_counter()).map(CounterId),
        target: row.get_handler_target(),
    });
    Ok(Stage {
        key: text(row.get_key())?,
        kind: kind.ok_or_else(|| ModuleError::Malformed("a stage of no kind".into()))?,
        around: none16(row.get_around()).map(StageId),
        deadline_ms: none64(row.get_deadline_ms()),
        money: none64(row.get_money()),
        tokens: none64(row.get_tokens()),
        input: none16(row.get_input()).map(RegisterId),
        output: none16(row.get_output()).map(RegisterId),
        counters: (row.get_first_counter(), row.get_counters()),
        handler,
        chooser: none16(row.get_chooser()).map(WorkerId),
        names: words(row.get_names())?,
    })
}

/// A target as worker and function, each plus one.
fn put_target(target: Option<StepTarget>) -> (u16, u16) {
    match target {
        None => (0, 0),
        Some(StepTarget::Worker(worker)) => (some16(Some(worker.0)), 0),
        Some(StepTarget::Function(function)) => (0, some16(Some(function.0))),
    }
}

fn target(worker: u16, function: u16) -> Result<Option<StepTarget>, ModuleError> {
    match (none16(worker), none16(function)) {
        (None, None) => Ok(None),
        (Some(worker), None) => Ok(Some(StepTarget::Worker(WorkerId(worker)))),
        (None, Some(function)) => Ok(Some(StepTarget::Function(FunctionId(function)))),
        (Some(_), Some(_)) => Err(ModuleError::Malformed("a step calls two things".into())),
    }
}

fn put_step(mut row: wire::step::Builder<'_>, step: &Step) {
    set!(row.set_name = step.name);
    row.set_stage(step.stage.0);
    let (worker, function) = put_target(Some(step.target));
    row.set_worker(worker);
    row.set_function(function);
    let (worker, function) = put_target(step.undo);
    row.set_undo_worker(worker);
    row.set_undo_function(function);
    set!(row.init_behaviours, step.behaviours);
    row.set_deadline_ms(some64(step.deadline_ms));
    row.set_money(some64(step.money));
    row.set_tokens(some64(step.tokens));
    row.set_input(some16(step.input.map(|id| id.0)));
    row.set_output(some16(step.output.map(|id| id.0)));
    let verdicts: Vec<u16> = step.verdicts.iter().map(|word| word.0).collect();
    set!(row.init_verdicts, verdicts);
}

fn step(row: wire::step::Reader<'_>) -> Result<Step, ModuleError> {
    let called = target(row.get_worker(), row.get_function())?;
    Ok(Step {
        name: text(row.get_name())?,
        stage: StageId(row.get_stage()),
        target: called.ok_or_else(|| ModuleError::Malformed("a step calls nothing".into()))?,
        behaviours: row.get_behaviours()?.iter().collect(),
        deadline_ms: none64(row.get_deadline_ms()),
        money: none64(row.get_money()),
        tokens: none64(row.get_tokens()),
        input: none16(row.get_input()).map(RegisterId),
        output: none16(row.get_output()).map(RegisterId),
        undo: target(row.get_undo_worker(), row.get_undo_function())?,
        verdicts: words(row.get_verdicts())?,
    })
}
