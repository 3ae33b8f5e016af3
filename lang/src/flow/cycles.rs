//! Which nodes of a small graph lie on a cycle.

/// For each of `n` nodes: does it lie on a cycle of `edges` that avoids the nodes in `removed`?
pub(crate) fn on_cycle(n: usize, edges: &[(u32, u32)], removed: &[bool]) -> Vec<bool> {
    components(n, edges, removed).1
}

/// For each of `n` nodes: the number of its strongly connected component, which is larger than the numbers of those that it
/// leads to; and whether it lies on a cycle. Edges at nodes in `removed` do not count.
///
/// Tarjan's algorithm, with a stack of its own: chains are as long as a file allows.
pub(crate) fn components(n: usize, edges: &[(u32, u32)], removed: &[bool]) -> (Vec<u32>, Vec<bool>) {
    let gone = |node: u32| removed.get(node as usize).copied().unwrap_or(true);
    let mut first = vec![0u32; n + 1];
    let kept = || edges.iter().filter(|(from, to)| !gone(*from) && !gone(*to));
    for (from, _) in kept() {
        first[*from as usize + 1] += 1;
    }
    for node in 0..n {
        first[node + 1] += first[node];
    }
    let mut fill = first.clone();
    let mut targets = vec![0u32; first[n] as usize];
    let mut component = vec![0u32; n];
    let mut components = 0;
    let mut cyclic = vec![false; n];
    for (from, to) in kept() {
        targets[fill[*from as usize] as usize] = *to;
        fill[*from as usize] += 1;
        cyclic[*from as usize] |= from == to;
    }
    const NEW: u32 = u32::MAX;
    let mut number = vec![NEW; n];
    let mut low = vec![0u32; n];
    let mut open = vec![false; n];
    let mut stack: Vec<u32> = Vec::new();
    let mut work: Vec<(u32, u32)> = Vec::new();
    let mut next = 0;
    for root in 0..n as u32 {
        if number[root as usize] != NEW {
            continue;
        }
        work.push((root, first[root as usize]));
        while let Some((node, edge)) = work.pop() {
            let at = node as usize;
            if number[at] == NEW {
                number[at] = next;
                low[at] = next;
                next += 1;
                open[at] = true;
                stack.push(node);
            }
            if edge < first[at + 1] {
                work.push((node, edge + 1));
                let to = targets[edge as usize] as usize;
                if number[to] == NEW {
                    work.push((to as u32, first[to]));
                } else if open[to] {
                    low[at] = low[at].min(number[to]);
                }
                continue;
            }
            if low[at] == number[at] {
                let start = stack.iter().rposition(|member| *member == node).unwrap_or(0);
                let several = stack.len() - start > 1;
                for member in stack.drain(start..) {
                    open[member as usize] = false;
                    cyclic[member as usize] |= several;
                    component[member as usize] = components;
                }
                components += 1;
            }
            if let Some((parent, _)) = work.last() {
                low[*parent as usize] = low[*parent as usize].min(low[at]);
            }
        }
    }
    (component, cyclic)
}

#[cfg(test)]
mod tests {
    use super::on_cycle;

    #[test]
    fn only_nodes_on_a_cycle() {
        let edges = [(0, 1), (1, 2), (2, 1), (2, 3), (3, 4), (4, 4)];
        assert_eq!(on_cycle(5, &edges, &[false; 5]), [false, true, true, false, true]);
        assert_eq!(on_cycle(5, &edges, &[false, true, false, false, false]), [false, false, false, false, true]);
    }

    #[test]
    fn a_node_between_two_cycles_is_on_none() {
        let edges = [(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 3)];
        assert_eq!(on_cycle(5, &edges, &[false; 5]), [true, true, false, true, true]);
    }

    #[test]
    fn long_chains_need_no_deep_stack() {
        let n = 200_000;
        let mut edges: Vec<(u32, u32)> = (0..n - 1).map(|i| (i, i + 1)).collect();
        edges.push((n - 1, 0));
        assert!(on_cycle(n as usize, &edges, &vec![false; n as usize]).iter().all(|on| *on));
    }
}
