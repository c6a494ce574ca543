//! Path templates of `google.api.http` as OpenAPI writes them.
//!
//! | template | OpenAPI | why |
//! |---|---|---|
//! | `/orders/{id}:cancel` | `/orders/{id}:cancel` | |
//! | `/{name=shelves/*}` | `/shelves/{name}` | what never changes is no parameter |
//! | `/{name=shelves/*/books/*}` | `/shelves/{name_1}/books/{name_2}` | a parameter is one segment |
//! | `/products/{product.id}` | `/products/{product_id}` | programs take a dot in a name for an access |
//! | `/files/{path=**}`, `/files/**` | `/files/{path}`, `/files/{segments}` | OpenAPI has no word for "several segments" |

use weft_transcode::{Segment, Template, TemplateError, Variable};

/// A path of the document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DocumentPath {
    pub(crate) text: String,
    pub(crate) parameters: Vec<PathParameter>,
    /// The fields that the path sets, as paths of the contract's names.
    pub(crate) fields: Vec<String>,
}

/// A parameter in a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PathParameter {
    pub(crate) name: String,
    /// The field that it is, or is a part of; none for a segment that nothing takes.
    pub(crate) field: Option<String>,
    /// It is the field's whole value.
    pub(crate) is_whole: bool,
    /// It may hold slashes.
    pub(crate) is_multi: bool,
}

impl DocumentPath {
    pub(crate) fn of(template: &str) -> Result<Self, TemplateError> {
        let template = Template::parse(template)?;
        let mut path = Self {
            text: String::new(),
            parameters: Vec::new(),
            fields: template.variables.iter().map(|v| v.field.clone()).collect(),
        };
        for (index, segment) in template.segments.iter().enumerate() {
            path.text.push('/');
            let variable = template.variables.iter().find(|variable| (variable.from..variable.to).contains(&index));
            match segment {
                Segment::Literal(literal) => path.text.push_str(literal),
                Segment::Single | Segment::Multi => {
                    let mut name = path.name(&template, variable, index).replace('.', "_");
                    while path.parameters.iter().any(|parameter| parameter.name == name) {
                        name.push('_');
                    }
                    path.text.extend(["{", &name, "}"]);
                    path.parameters.push(PathParameter {
                        name,
                        field: variable.map(|variable| variable.field.clone()),
                        is_whole: variable.is_some_and(|variable| variable.to - variable.from == 1),
                        is_multi: *segment == Segment::Multi,
                    });
                }
            }
        }
        if path.text.is_empty() {
            path.text.push('/');
        }
        if let Some(verb) = &template.verb {
            path.text.push(':');
            path.text.push_str(verb);
        }
        Ok(path)
    }

    /// The path without the names of its parameters: to OpenAPI paths of one shape are one path.
    pub(crate) fn shape(&self) -> String {
        let mut shape = String::new();
        for (index, part) in self.text.split('{').enumerate() {
            shape.push_str(if index == 0 { part } else { part.split_once('}').map_or(part, |(_, rest)| rest) });
            shape.push('{');
        }
        shape
    }

    /// The path with these names of its parameters.
    pub(crate) fn renamed(mut self, names: &[String]) -> Self {
        let mut parts = self.text.split('{');
        let mut text = parts.next().unwrap_or_default().to_owned();
        for ((parameter, part), name) in self.parameters.iter_mut().zip(parts).zip(names) {
            text.extend(["{", name, "}", part.split_once('}').map_or("", |(_, rest)| rest)]);
            parameter.name.clone_from(name);
        }
        self.text = text;
        self
    }

    fn name(&self, template: &Template, variable: Option<&Variable>, index: usize) -> String {
        let Some(variable) = variable else {
            let unnamed = self.parameters.iter().filter(|parameter| parameter.field.is_none()).count();
            return if unnamed == 0 { "segments".to_owned() } else { format!("segments_{}", unnamed + 1) };
        };
        let wild: Vec<usize> =
            (variable.from..variable.to).filter(|at| !matches!(template.segments[*at], Segment::Literal(_))).collect();
        match wild.iter().position(|at| *at == index) {
            Some(place) if wild.len() > 1 => format!("{}_{}", variable.field, place + 1),
            _ => variable.field.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn paths_of_one_shape_are_written_alike() {
        let (first, second) = (DocumentPath::of("/a/{id}/b:c").unwrap(), DocumentPath::of("/a/{x.id}/b:c").unwrap());
        assert_eq!(first.shape(), second.shape());
        assert_ne!(first.shape(), DocumentPath::of("/a/{id}/b").unwrap().shape());
        let names: Vec<_> = first.parameters.iter().map(|parameter| parameter.name.clone()).collect();
        let renamed = second.renamed(&names);
        assert_eq!((renamed.text, renamed.parameters[0].field.as_deref()), (first.text, Some("x.id")));
    }

    #[test]
    fn a_template_is_written_with_a_parameter_for_each_segment_that_varies() {
        for (template, expected) in [
            ("/", "/"),
            ("/orders/{id}:cancel", "/orders/{id}:cancel"),
            ("/products/{product.id}", "/products/{product_id}"),
            ("/products/{product.id}/{product_id}", "/products/{product_id}/{product_id_}"),
            ("/{name=shelves/*}", "/shelves/{name}"),
            ("/{name=shelves/*/books/*}", "/shelves/{name_1}/books/{name_2}"),
            ("/files/{path=**}", "/files/{path}"),
            ("/a/*/b/**", "/a/{segments}/b/{segments_2}"),
            ("/a/{x=b}/c", "/a/b/c"),
        ] {
            assert_eq!(DocumentPath::of(template).unwrap().text, expected, "{template}");
        }
        let path = DocumentPath::of("/{name=shelves/*}/{rest=**}").unwrap();
        assert_eq!(path.fields, ["name", "rest"]);
        assert!(!path.parameters[0].is_whole && path.parameters[1].is_whole && path.parameters[1].is_multi);
    }
}
