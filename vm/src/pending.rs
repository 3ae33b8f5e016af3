//! Who waits for which answer. Most programs wait for one at a time: the newest request stands apart and costs no hashing.

use crate::action::RequestId;
use crate::slab::FiberId;
use rustc_hash::FxHashMap;

/// The fibers that wait for answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    newest: Option<(RequestId, FiberId)>,
    others: FxHashMap<RequestId, FiberId>,
}

impl Pending {
    #[inline]
    pub fn insert(&mut self, request: RequestId, fiber: FiberId) {
        if let Some((request, fiber)) = self.newest.replace((request, fiber)) {
            self.others.insert(request, fiber);
        }
    }

    #[inline]
    pub fn get(&self, request: RequestId) -> Option<FiberId> {
        match self.newest {
            Some((newest, fiber)) if newest == request => Some(fiber),
            _ => self.others.get(&request).copied(),
        }
    }

    #[inline]
    pub fn remove(&mut self, request: RequestId) {
        match self.newest {
            Some((newest, _)) if newest == request => self.newest = None,
            _ => {
                self.others.remove(&request);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.others.len() + usize::from(self.newest.is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn clear(&mut self) {
        *self = Pending::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_until_it_is_removed() {
        let mut pending = Pending::default();
        for n in 1..4 {
            pending.insert(RequestId(n), FiberId(n as u32));
        }
        assert_eq!(
            (pending.get(RequestId(1)), pending.get(RequestId(3)), pending.len()),
            (Some(FiberId(1)), Some(FiberId(3)), 3)
        );
        pending.remove(RequestId(3));
        pending.insert(RequestId(4), FiberId(4));
        pending.remove(RequestId(1));
        assert_eq!((pending.get(RequestId(1)), pending.get(RequestId(2)), pending.len()), (None, Some(FiberId(2)), 2));
        pending.clear();
        assert!(pending.is_empty());
    }
}
