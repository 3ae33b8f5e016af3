//! Every cycle passes a budget: a counter that nothing on the cycle sets to zero.
//!
//! Entering a stage sets to zero the counters inside it, and nothing else does. So a counter whose stage lies no deeper than
//! any word of a cycle is never set to zero on it, and each time round counts it: such a cycle ends. A counter that lies
//! deeper may be set to zero each time round. A cycle is therefore endless exactly when everything it counts lies deeper
//! than its outermost word, and that is what is looked for, from the outside inwards: at each depth, what counts for no deeper a
//! stage is taken away, and no word of that depth may then still lie on a cycle. An ending that a handler catches is an arc
//! from where its stage is entered; whatever happened in between lies deeper.

/// The ways between the words of a function, numbered from its entry.
pub(super) struct Graph {
    /// How many stages are around each word.
    pub depths: Vec<u8>,
    pub arcs: Vec<Arc>,
}

/// From one word to another.
#[derive(Clone, Copy)]
pub(super) struct Arc {
    pub from: u32,
    pub to: u32,
    /// How deep the stage lies whose counter is counted on the way; none: nothing is counted.
    pub counted: Option<u8>,
}

/// The first word that lies on a cycle which no counter ends.
pub(super) fn endless(graph: &Graph) -> Option<u32> {
    let depth = |word: u32| graph.depths.get(word as usize).copied().unwrap_or(0);
    let mut arcs = graph.arcs.clone();
    let mut components = Components::default();
    // Each round looks at one depth, and there are 65.
    while arcs.iter().any(|arc| arc.from >= arc.to) {
        let level = arcs.iter().map(|arc| depth(arc.from)).min()?;
        arcs.retain(|arc| arc.counted.is_none_or(|counted| counted > level));
        components.keep_cyclic(graph.depths.len(), &mut arcs);
        let found = arcs.iter().map(|arc| arc.from).filter(|word| depth(*word) == level).min();
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Strongly connected components by Tarjan's algorithm, with a stack of its own. Kept between rounds for its memory.
#[derive(Default)]
struct Components {
    /// By word: where its arcs begin in `targets`; one more at the end.
    first: Vec<u32>,
    targets: Vec<u32>,
    /// By word: the order in which it was found, or 0; the least such number that it leads back to.
    number: Vec<u32>,
    low: Vec<u32>,
    /// By word: its component, or 0 while that is open.
    component: Vec<u32>,
    open: Vec<u32>,
    work: Vec<(u32, u32)>,
}

impl Components {
    /// Takes away the arcs that lie on no cycle.
    fn keep_cyclic(&mut self, words: usize, arcs: &mut Vec<Arc>) {
        self.sort(words, arcs);
        for zeroed in [&mut self.number, &mut self.low, &mut self.component] {
            zeroed.clear();
            zeroed.resize(words, 0);
        }
        let (mut found, mut components) = (0, 0);
        for root in 0..words {
            if self.number[root] == 0 && self.first[root] < self.first[root + 1] {
                self.search(root as u32, &mut found, &mut components);
            }
        }
        // What was never searched has no arc that leads on, and is a component of its own: 0 is nobody's.
        let component = |word: u32| self.component[word as usize];
        arcs.retain(|arc| component(arc.from) != 0 && component(arc.from) == component(arc.to));
    }

    /// Arcs by where they come from.
    fn sort(&mut self, words: usize, arcs: &[Arc]) {
        self.first.clear();
        self.first.resize(words + 1, 0);
        for arc in arcs {
            self.first[arc.from as usize] += 1;
        }
        let mut sum = 0;
        for first in &mut self.first {
            sum += *first;
            *first = sum;
        }
        self.targets.clear();
        self.targets.resize(arcs.len(), 0);
        for arc in arcs.iter().rev() {
            let place = &mut self.first[arc.from as usize];
            *place -= 1;
            self.targets[*place as usize] = arc.to;
        }
    }

    fn search(&mut self, root: u32, found: &mut u32, components: &mut u32) {
        self.work.push((root, self.first[root as usize]));
        while let Some((word, arc)) = self.work.pop() {
            let at = word as usize;
            if self.number[at] == 0 {
                *found += 1;
                (self.number[at], self.low[at]) = (*found, *found);
                self.open.push(word);
            }
            if arc < self.first[at + 1] {
                self.work.push((word, arc + 1));
                let to = self.targets[arc as usize] as usize;
                if self.number[to] == 0 {
                    self.work.push((to as u32, self.first[to]));
                } else if self.component[to] == 0 {
                    self.low[at] = self.low[at].min(self.number[to]);
                }
                continue;
            }
            if self.low[at] == self.number[at] {
                *components += 1;
                while let Some(member) = self.open.pop() {
                    self.component[member as usize] = *components;
                    if member == word {
                        break;
                    }
                }
            }
            if let Some((parent, _)) = self.work.last() {
                let parent = *parent as usize;
                self.low[parent] = self.low[parent].min(self.low[at]);
            }
        }
    }
}
