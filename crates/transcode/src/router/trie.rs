//! A tree of path segments: one step a segment, however many routes there are.
//!
//! Behind `**` a template holds only literals, and the path is at its end; so they hang in a second tree, read from
//! the last segment backwards.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::template::{Segment, Template};

/// The rule for every HTTP method.
const ANY: &str = "*";

/// A path cut at its slashes, its verb apart.
pub(super) struct Split<'p> {
    pub(super) segments: Vec<&'p str>,
    pub(super) verb: &'p str,
}

#[derive(Debug)]
pub(super) struct Trie {
    /// The first is the root.
    nodes: Vec<Node>,
}

impl Default for Trie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

/// HTTP method and binding.
type Ends = Vec<(Box<str>, u32)>;

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, u32, RandomState>,
    single: Option<u32>,
    /// The root of the tree behind `**`.
    multi: Option<u32>,
    /// Rules that end here, by verb.
    ends: HashMap<Box<str>, Ends, RandomState>,
}

impl Trie {
    /// Adds a rule; fails with the binding that already serves its requests.
    pub(super) fn insert(&mut self, template: &Template, method: &str, binding: u32) -> Result<(), u32> {
        let multi = template.segments.iter().position(|segment| *segment == Segment::Multi);
        let (before, behind) = template.segments.split_at(multi.unwrap_or(template.segments.len()));
        let mut node = 0;
        for segment in before {
            node = self.child(node, segment);
        }
        if let Some((multi, suffix)) = behind.split_first() {
            node = self.child(node, multi);
            for segment in suffix.iter().rev() {
                node = self.child(node, segment);
            }
        }
        let verb = template.verb.as_deref().unwrap_or_default();
        let ends = self.nodes[node as usize].ends.entry(verb.into()).or_default();
        if let Some((_, other)) = ends.iter().find(|(served, _)| **served == *method) {
            return Err(*other);
        }
        ends.push((method.into(), binding));
        Ok(())
    }

    fn child(&mut self, node: u32, segment: &Segment) -> u32 {
        let new = self.nodes.len() as u32;
        let node = &mut self.nodes[node as usize];
        let child = match segment {
            Segment::Literal(literal) => *node.literals.entry(literal.as_str().into()).or_insert(new),
            Segment::Single => *node.single.get_or_insert(new),
            Segment::Multi => *node.multi.get_or_insert(new),
        };
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }

    /// The binding for a path; the methods of rules that fit but for theirs go to `allowed`.
    pub(super) fn find(&self, method: &str, path: &Split<'_>, allowed: &mut Vec<String>) -> Option<u32> {
        self.walk(0, 0, method, path, allowed)
    }

    fn walk(&self, node: u32, depth: usize, method: &str, path: &Split<'_>, allowed: &mut Vec<String>) -> Option<u32> {
        let node = &self.nodes[node as usize];
        let here = match path.segments.get(depth) {
            None => node.end(method, path.verb, allowed),
            Some(segment) => {
                let literal = node.literals.get(*segment).and_then(|child| self.walk(*child, depth + 1, method, path, allowed));
                literal.or_else(|| {
                    let child = node.single.filter(|_| !segment.is_empty())?;
                    self.walk(child, depth + 1, method, path, allowed)
                })
            }
        };
        here.or_else(|| self.suffix(node.multi?, depth, method, path, allowed))
    }

    /// Reads the path backwards down to `depth`, where `**` began; the longest suffix of literals wins.
    fn suffix(&self, root: u32, depth: usize, method: &str, path: &Split<'_>, allowed: &mut Vec<String>) -> Option<u32> {
        let mut node = &self.nodes[root as usize];
        let mut best = node.end(method, path.verb, allowed);
        for segment in path.segments[depth..].iter().rev() {
            let Some(child) = node.literals.get(*segment) else { break };
            node = &self.nodes[*child as usize];
            best = node.end(method, path.verb, allowed).or(best);
        }
        best
    }
}

impl Node {
    fn end(&self, method: &str, verb: &str, allowed: &mut Vec<String>) -> Option<u32> {
        let ends = self.ends.get(verb)?;
        let serves = |wanted: &str| ends.iter().find(|(served, _)| **served == *wanted).map(|(_, binding)| *binding);
        let found = serves(method).or_else(|| serves(ANY));
        if found.is_none() {
            allowed.extend(ends.iter().map(|(served, _)| served.to_string()));
        }
        found
    }
}
