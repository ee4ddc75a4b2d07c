//! A line of Java's login configuration, as Kafka's `sasl.jaas.config` has it:
//! `org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="secret";`

/// What a line says.
#[derive(PartialEq, Eq)]
pub(crate) struct Jaas {
    /// The name of the module's class, without its package.
    pub(crate) module: String,
    pub(crate) options: Vec<(String, String)>,
}

#[derive(PartialEq, Eq)]
enum Token {
    Word(String),
    Equals,
    End,
}

impl Token {
    fn into_word(self) -> Option<String> {
        match self {
            Self::Word(word) => Some(word),
            Self::Equals | Self::End => None,
        }
    }
}

impl Jaas {
    /// Reads a line: a class, `required` or another flag, options, `;`. None if it is something else.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut tokens = tokens(line)?.into_iter();
        let class = tokens.next()?.into_word()?;
        let module = class.rsplit('.').next()?.to_owned();
        let flag = tokens.next()?.into_word()?.to_ascii_lowercase();
        if !["required", "requisite", "sufficient", "optional"].contains(&&*flag) {
            return None;
        }
        let mut options = Vec::new();
        while let Token::Word(name) = tokens.next()? {
            if tokens.next()? != Token::Equals {
                return None;
            }
            options.push((name, tokens.next()?.into_word()?));
        }
        // That was the `;`, or an `=` that belongs to nothing.
        let is_whole = tokens.next().is_none() && line.trim_end().ends_with(';');
        is_whole.then_some(Self { module, options })
    }
}

/// Words, `=` and `;`. What is between quotes is a word, a backslash in it stands for what comes after.
fn tokens(line: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ';' => tokens.push(Token::End),
            '=' => tokens.push(Token::Equals),
            quote @ ('"' | '\'') => {
                let mut word = String::new();
                loop {
                    match chars.next()? {
                        end if end == quote => break,
                        '\\' => word.push(chars.next()?),
                        c => word.push(c),
                    }
                }
                tokens.push(Token::Word(word));
            }
            c if c.is_whitespace() => {}
            c => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !";=\"'".contains(*c)) {
                    word.push(c);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_kafkas_is_read() {
        let line = "org.apache.kafka.common.security.plain.PlainLoginModule required\n \
            username=admin password='a b' user_alice=\"s;=\\\"x\" ;\n";
        let jaas = Jaas::parse(line).expect("well-formed");
        assert_eq!(jaas.module, "PlainLoginModule");
        let options: Vec<_> = jaas.options.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(options, [("username", "admin"), ("password", "a b"), ("user_alice", "s;=\"x")]);
        assert!(Jaas::parse("ScramLoginModule required;").expect("well-formed").options.is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        for line in [
            "",
            "Module",
            "Module required",
            "Module perhaps;",
            "Module required a;",
            "Module required a=;",
            "Module required a=b",
            "Module required a=\"b;",
            "Module required =;",
            "Module required; Module required;",
        ] {
            assert!(Jaas::parse(line).is_none(), "{line}");
        }
    }
}
