//! The return type of the function: the name of the struct of the tree.

use proc_macro2::Ident;
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;
use syn::{GenericArgument, Path, PathArguments, ReturnType, Signature, Type};

use crate::errors::Errors;
use crate::function::find_word;
use crate::path::is_name;

/// The name of the struct.
pub(super) enum Returned {
    /// The return type of the function, or the type in its `Result`.
    Name(Ident),
    /// A guess, because the function has no return type, or one with generic arguments.
    Assumed(Ident),
    /// A guess, because the return type was refused.
    Refused(Ident),
    /// A guess, because the return type is `impl Trait`, which the tree may implement.
    Opaque(Ident),
}

impl Returned {
    pub(super) fn of(signature: &Signature, errors: &mut Errors) -> Self {
        let ReturnType::Type(_, ty) = &signature.output else {
            let name = camel_case(&signature.ident);
            let message = format!("the tree needs a type, which is made here: write `-> {name}`");
            errors.push(&signature.ident, message);
            return Self::Assumed(name);
        };
        let ty = peel(ty);
        if let Some(name) = plain_name(inside(ty)) {
            if TAKEN.iter().any(|taken| name == taken) {
                let instead = camel_case(&signature.ident);
                let arrow = if plain_name(ty).is_some() { "-> " } else { "" };
                errors.push(inside(ty), format!("`{name}` is taken: write `{arrow}{instead}`, which is made here"));
                return Self::Refused(instead);
            }
            return Self::Name(name);
        }
        let name = name_in(ty).unwrap_or_else(|| camel_case(&signature.ident));
        let message = match ty {
            Type::Path(path) if path.path.segments.len() > 1 => {
                format!("the type of the tree is made beside the function: write `-> {name}`")
            }
            _ => format!(
                "the function returns the tree, of a type that is made here: write `-> {name}`, or `-> Result<{name}, E>`"
            ),
        };
        errors.push(ty, message);
        match ty {
            Type::Path(path) if path.path.segments.len() == 1 && last_name(&path.path).as_ref() == Some(&name) => {
                Self::Assumed(name)
            }
            _ if find_word(ty.to_token_stream(), "impl").is_some() => Self::Opaque(name),
            _ => Self::Refused(name),
        }
    }

    pub(super) fn name(&self) -> &Ident {
        match self {
            Self::Name(name) | Self::Assumed(name) | Self::Refused(name) | Self::Opaque(name) => name,
        }
    }
}

/// Wrappers around the tree.
const AROUND: [&str; 9] = ["Result", "Option", "Box", "Arc", "Rc", "Vec", "VecDeque", "Mutex", "RwLock"];

/// Existing types that may be in scope.
const TAKEN: [&str; 10] = [
    "Tree",
    "TreeBuilder",
    "Supervisor",
    "SupervisorHandle",
    "Self",
    "HashMap",
    "BTreeMap",
    "HashSet",
    "BTreeSet",
    "String",
];

/// Returns `App` of `Result<App, E>`, and any other type as it is.
fn inside(ty: &Type) -> &Type {
    let Type::Path(path) = peel(ty) else { return ty };
    match last_name(&path.path) {
        Some(name) if AROUND.iter().any(|around| name == around) => first_argument(&path.path).map_or(ty, inside),
        _ => peel(ty),
    }
}

/// Returns the type as a single name.
fn plain_name(ty: &Type) -> Option<Ident> {
    match ty {
        Type::Path(path) => path.path.get_ident().filter(|name| is_name(name)).cloned(),
        _ => None,
    }
}

/// Returns the name that was probably meant: `App` of `Result<App, E>`, `&App` and `path::App`.
fn name_in(ty: &Type) -> Option<Ident> {
    let name = match peel(ty) {
        Type::Path(path) => match last_name(&path.path)? {
            around if AROUND.iter().any(|known| around == known) => name_in(first_argument(&path.path)?),
            name => Some(name),
        },
        Type::Reference(reference) => name_in(&reference.elem),
        _ => None,
    };
    name.filter(|name| is_name(name) && !TAKEN.iter().any(|taken| name == taken))
}

fn first_argument(path: &Path) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn last_name(path: &Path) -> Option<Ident> {
    path.segments.last().map(|segment| segment.ident.clone())
}

/// Returns `MyApp` for `my_app`.
fn camel_case(name: &Ident) -> Ident {
    let capitalized = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    let name_of_tree: String = name.unraw().to_string().split('_').map(capitalized).collect();
    // A name such as `_1` leaves no valid name of a type.
    match syn::parse_str::<Ident>(&name_of_tree) {
        Ok(_) => format_ident!("{name_of_tree}", span = name.span()),
        Err(_) => format_ident!("App", span = name.span()),
    }
}

/// Returns the type without the invisible groups that `macro_rules!` puts around its fragments.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        ty => ty,
    }
}
