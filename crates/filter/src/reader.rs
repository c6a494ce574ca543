//! Reads a text from its beginning to its end.

use crate::FilterError;

/// Reads a text.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The character that comes next, from 1.
    pub(crate) fn place(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(crate) fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    pub(crate) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.rest().is_empty()
    }

    /// Whether this comes next, which stays.
    pub(crate) fn sees(&mut self, text: &str) -> bool {
        self.skip_space();
        self.rest().starts_with(text)
    }

    /// Takes this if it comes next.
    pub(crate) fn takes(&mut self, text: &str) -> bool {
        let sees = self.sees(text);
        if sees {
            self.at += text.len();
        }
        sees
    }

    /// Whether this word comes next, whole.
    pub(crate) fn sees_word(&mut self, word: &str) -> bool {
        self.skip_space();
        self.name() == word
    }

    /// Takes this word if it comes next, whole.
    pub(crate) fn takes_word(&mut self, word: &str) -> bool {
        let sees = self.sees_word(word);
        if sees {
            self.at += word.len();
        }
        sees
    }

    /// The name that comes next; empty if none does.
    fn name(&self) -> &'a str {
        let rest = self.rest();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
        &rest[..rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())]
    }

    /// Takes a name; empty if none comes next.
    pub(crate) fn takes_name(&mut self) -> &'a str {
        self.skip_space();
        let name = self.name();
        self.at += name.len();
        name
    }

    /// Takes a value: a text in quotes, where a backslash stands before what is meant as it is, or letters, digits and what
    /// numbers and times consist of. `None` if none comes next.
    pub(crate) fn takes_value(&mut self) -> Result<Option<String>, FilterError> {
        self.skip_space();
        let quote = self.rest().chars().next().filter(|letter| matches!(letter, '"' | '\''));
        let value = match quote {
            Some(quote) => Some(self.takes_quoted(quote)?),
            None => self.takes_plain(),
        };
        let ends = self.rest().chars().next().is_none_or(|letter| letter.is_whitespace() || matches!(letter, '(' | ')'));
        if ends { Ok(value) } else { Err(FilterError::QuotesMissing { place: self.place() }) }
    }

    fn takes_plain(&mut self) -> Option<String> {
        let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '+' | '-' | ':');
        let rest = self.rest();
        let value = &rest[..rest.find(|letter| !is_part(letter)).unwrap_or(rest.len())];
        self.at += value.len();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn takes_quoted(&mut self, quote: char) -> Result<String, FilterError> {
        let begin = self.place();
        let mut value = String::new();
        let mut letters = self.rest().char_indices().skip(1);
        while let Some((index, letter)) = letters.next() {
            match letter {
                '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
                letter if letter == quote => {
                    self.at += index + letter.len_utf8();
                    return Ok(value);
                }
                letter => value.push(letter),
            }
        }
        Err(FilterError::QuoteOpen { place: begin })
    }
}
