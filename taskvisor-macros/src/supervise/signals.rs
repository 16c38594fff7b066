//! `signals = false`, `signals = value` and `signals(force_after = "2s", interrupt = "drain")`.

use std::time::Duration;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::{Attribute, Expr, Lit};

use crate::argument::{Form, peel};
use crate::options::{Held, WrongForm, has_fields, lower};
use crate::reader::{Given, Purpose, Reader, Words};
use crate::table::{Key, Read, Table};

/// The value of the key `signals`.
#[derive(Default)]
pub(super) struct Signals {
    given: Option<Kind>,
    pub(super) cfgs: Vec<Attribute>,
}

enum Kind {
    Switch(bool),
    /// The local of a `Signals` or `bool`.
    Computed(Ident),
    List(Box<Fields>),
}

#[derive(Default)]
struct Fields {
    force_after: Option<Given<Duration>>,
    interrupt: Option<Given<Action>>,
    terminate: Option<Given<Action>>,
}

const WRONG: &str = "`signals` is `true`, `false` or a list: write `signals(force_after = \"2s\")`";

/// The response to a first signal.
#[derive(Clone, Copy)]
enum Action {
    Drain,
    Stop,
}

const WORDS: Words<Action> = Words {
    module: "words_of_signals",
    list: &["`interrupt` and `terminate`"],
    known: &[("drain", Action::Drain), ("stop", Action::Stop)],
    is_flag: false,
};

const FIELDS: Table<Fields> = Table {
    list: "signals",
    noun: "`signals` field",
    keys: &[
        &Key::new("force_after", "force_after = \"1s\"", Read::Duration(|fields| &mut fields.force_after)),
        &Key::new(
            "interrupt",
            "interrupt = \"stop\"",
            Read::Value(|fields, key, value, reader| {
                fields.interrupt = Some(Given::new(key, reader.word(key, value, &WORDS, Purpose::SignalAction)));
            }),
        ),
        &Key::new(
            "terminate",
            "terminate = \"drain\"",
            Read::Value(|fields, key, value, reader| {
                fields.terminate = Some(Given::new(key, reader.word(key, value, &WORDS, Purpose::SignalAction)));
            }),
        ),
    ],
    misplaced: &[&[
        ("drain", "write `interrupt = \"drain\"`, or `drain = \"5s\"` beside `signals(..)`"),
        ("grace", "it is a key of the tree, beside `signals(..)`"),
        ("listen", "write `signals = false`"),
    ]],
};

impl Held for Signals {
    fn read(&mut self, _: &Ident, form: &Form<'_>, reader: &mut Reader) -> Result<(), WrongForm> {
        self.cfgs.clone_from(&reader.key_cfgs);
        self.given = Some(match form {
            Form::Word => Kind::Switch(true),
            Form::List(list) => {
                let mut fields = Fields::default();
                FIELDS.read(*list, &mut fields, reader);
                Kind::List(Box::new(fields))
            }
            Form::Value(value) if reader.is_unreadable(value) => return Ok(()),
            Form::Value(value) => {
                if let Expr::Lit(literal) = peel(value) {
                    let Lit::Bool(switch) = &literal.lit else {
                        reader.errors.push(value, WRONG);
                        return Ok(());
                    };
                    Kind::Switch(switch.value)
                } else if matches!(peel(value), Expr::Array(_)) || has_fields(value) {
                    reader.errors.push(value, WRONG);
                    return Ok(());
                } else {
                    Kind::Computed(reader.bind(Purpose::Signals, value))
                }
            }
        });
        Ok(())
    }

    fn lower(&self, private: &TokenStream) -> Option<TokenStream> {
        Some(match self.given.as_ref()? {
            Kind::Switch(switch) => quote!(#private::Into::into(#switch)),
            Kind::Computed(local) => quote!(#local),
            Kind::List(fields) => {
                let force_after = fields.force_after.as_ref().and_then(|given| {
                    let time = crate::options::duration(Some(given), private)?;
                    Some(quote!(force_after: #time,))
                });
                let action = |given: &Option<Given<Action>>, field: TokenStream| {
                    let action = lower(given.as_ref(), |action| match action {
                        Action::Drain => quote!(#private::SignalAction::Drain),
                        Action::Stop => quote!(#private::SignalAction::Stop),
                    });
                    action.map(|action| quote!(#field: #action,))
                };
                let interrupt = action(&fields.interrupt, quote!(interrupt));
                let terminate = action(&fields.terminate, quote!(terminate));
                quote! {
                    #private::Signals {
                        #force_after
                        #interrupt
                        #terminate
                        ..#private::Default::default()
                    }
                }
            }
        })
    }

    fn describe(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
pub(super) fn names() -> Vec<&'static str> {
    FIELDS.names()
}
