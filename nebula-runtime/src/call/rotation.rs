//! What waits for something scarce, by function. The functions take turns, so that a thousand calls that wait for one
//! function delay the call of another by one of them.

use std::collections::{HashMap, VecDeque};

use crate::function::FunctionName;

/// Items that wait, first come, first served within a function.
pub(crate) struct Rotation<T> {
    waiting: HashMap<FunctionName, VecDeque<T>>,
    /// The functions in the order of their turns. Each of them has an item.
    order: VecDeque<FunctionName>,
}

impl<T> Rotation<T> {
    pub(crate) fn push(&mut self, function: &FunctionName, item: T) {
        if let Some(items) = self.waiting.get_mut(function) {
            return items.push_back(item);
        }
        self.waiting.insert(function.clone(), VecDeque::from([item]));
        self.order.push_back(function.clone());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Takes the next item for which `is_ready` holds: the first one of a function, whose turn is over with that.
    pub(crate) fn take(&mut self, mut is_ready: impl FnMut(&T) -> bool) -> Option<T> {
        let waiting = &self.waiting;
        let mut is_next = |function| waiting.get(function).and_then(VecDeque::front).is_some_and(&mut is_ready);
        let next = self.order.iter().position(&mut is_next)?;
        let function = self.order.remove(next)?;
        let items = self.waiting.get_mut(&function)?;
        let item = items.pop_front();
        if items.is_empty() {
            self.waiting.remove(&function);
        } else {
            self.order.push_back(function);
        }
        item
    }

    /// Removes the first items of a function as long as `is_gone` holds for them.
    pub(crate) fn skip(&mut self, function: &FunctionName, is_gone: impl Fn(&T) -> bool) {
        let Some(items) = self.waiting.get_mut(function) else { return };
        while items.front().is_some_and(&is_gone) {
            items.pop_front();
        }
        if items.is_empty() {
            self.waiting.remove(function);
            self.order.retain(|waiting| waiting != function);
        }
    }
}

impl<T> Default for Rotation<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotation(items: &[(&str, u32)]) -> Rotation<u32> {
        let mut rotation = Rotation::default();
        for (function, item) in items {
            rotation.push(&function.parse().unwrap(), *item);
        }
        rotation
    }

    fn all(mut rotation: Rotation<u32>) -> Vec<u32> {
        std::iter::from_fn(|| rotation.take(|_| true)).collect()
    }

    #[test]
    fn functions_take_turns_and_the_calls_of_one_keep_their_order() {
        assert_eq!(all(rotation(&[("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)])), [1, 4, 5, 2, 6, 3]);
    }

    #[test]
    fn a_function_that_cannot_be_served_holds_up_no_other() {
        let mut rotation = rotation(&[("a", 1), ("b", 4), ("a", 2), ("b", 5)]);
        assert_eq!(rotation.take(|item| *item > 3), Some(4));
        assert_eq!(rotation.take(|item| *item > 4), Some(5));
        assert_eq!(rotation.take(|item| *item > 4), None);
        assert_eq!(all(rotation), [1, 2]);
    }

    #[test]
    fn items_that_are_gone_are_skipped() {
        let mut rotation = rotation(&[("a", 1), ("a", 2), ("b", 4)]);
        rotation.skip(&"a".parse().unwrap(), |item| *item < 2);
        rotation.skip(&"b".parse().unwrap(), |item| *item == 4);
        assert_eq!(all(rotation), [2]);
    }
}
