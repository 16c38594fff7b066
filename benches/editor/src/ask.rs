//! The questions to rust-analyzer, and their cells.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use ra_ap_ide::{
    Analysis, AssistResolveStrategy, CompletionConfig, CompletionFieldsToResolve, DiagnosticsConfig, FileId,
    FilePosition, FileRange, GotoDefinitionConfig, HoverConfig, HoverDocFormat, NavigationTarget, RenameConfig,
    Severity, SubstTyLen, TextRange, TextSize,
};
use ra_ap_ide_db::imports::insert_use::{ImportGranularity, InsertUseConfig, PrefixKind};
use ra_ap_ide_db::ra_fixture::RaFixtureConfig;

use crate::place::Place;

/// Returns the cells of the place: hover, completion, definition, rename.
pub(crate) fn all(analysis: &Analysis, file: FileId, place: &Place) -> Result<[String; 4]> {
    let hover = place.hover.as_ref().map(|words| {
        let shown = hover(analysis, file, place)?;
        Ok(match shown {
            Some(text) if text.contains(words) => "yes".to_owned(),
            Some(text) => format!("`{}`", text.lines().find(|line| line.contains(' ')).unwrap_or_default().trim()),
            None => "nothing".to_owned(),
        })
    });
    let completion = (!place.completion.is_empty()).then(|| {
        let items = completion(analysis, file, place)?;
        let missing = place.completion.iter().filter(|name| !items.contains(*name)).count();
        let all = items.len();
        Ok(if missing == 0 {
            format!("yes, {} of {all}", place.completion.len())
        } else {
            format!("{} of {}, in {all}", place.completion.len() - missing, place.completion.len())
        })
    });
    let definition = place.definition.as_ref().map(|line| {
        let targets = definition(analysis, file, place)?;
        Ok(match targets.as_slice() {
            [] => "nothing".to_owned(),
            [one] if line_of(place, file, one).is_some_and(|found| found.contains(line)) => "yes".to_owned(),
            [one] => format!("`{}`", line_of(place, file, one).unwrap_or("elsewhere").trim()),
            all => format!("{} targets", all.len()),
        })
    });
    let rename = place.rename.map(|wanted| {
        Ok(match rename(analysis, file, place)? {
            Ok(edits) if edits == wanted => format!("yes, {edits} edits"),
            Ok(edits) => format!("{edits} edits of {wanted}"),
            Err(error) => error,
        })
    });
    let cell = |answer: Option<Result<String>>| answer.unwrap_or_else(|| Ok(String::new()));
    Ok([cell(hover)?, cell(completion)?, cell(definition)?, cell(rename)?])
}

/// Returns all answers in full.
pub(crate) fn explain(analysis: &Analysis, file: FileId, place: &Place) -> Result<String> {
    let targets: Vec<String> = definition(analysis, file, place)?
        .iter()
        .map(|target| {
            format!("{} {:?}: {}", target.name, target.kind, line_of(place, file, target).unwrap_or("elsewhere"))
        })
        .collect();
    Ok(format!(
        "hover: {}\n\ncompletion: {:?}\n\ndefinition:\n{}\n\nrename: {:?}\n\nerrors: {:?}",
        hover(analysis, file, place)?.unwrap_or_default(),
        completion(analysis, file, place)?,
        targets.join("\n"),
        rename(analysis, file, place)?,
        errors(analysis, file)?,
    ))
}

/// Returns the errors that rust-analyzer itself reports in the file.
pub(crate) fn errors(analysis: &Analysis, file: FileId) -> Result<Vec<String>> {
    let config = DiagnosticsConfig { style_lints: false, ..DiagnosticsConfig::test_sample() };
    let all = analysis.full_diagnostics(&config, AssistResolveStrategy::None, file).map_err(|_| anyhow!("canceled"))?;
    Ok(all.into_iter().filter(|found| found.severity == Severity::Error).map(|found| found.message).collect())
}

fn position(file: FileId, place: &Place) -> FilePosition {
    FilePosition { file_id: file, offset: TextSize::new(place.cursor) }
}

fn hover(analysis: &Analysis, file: FileId, place: &Place) -> Result<Option<String>> {
    let config = HoverConfig {
        links_in_hover: false,
        memory_layout: None,
        documentation: true,
        keywords: true,
        format: HoverDocFormat::Markdown,
        max_trait_assoc_items_count: None,
        max_fields_count: Some(5),
        max_enum_variants_count: Some(5),
        max_subst_ty_len: SubstTyLen::Unlimited,
        show_drop_glue: false,
        ra_fixture: RaFixtureConfig::default(),
    };
    let range = FileRange { file_id: file, range: TextRange::empty(TextSize::new(place.cursor)) };
    let answer = analysis.hover(&config, range).map_err(|_| anyhow!("canceled"))?;
    Ok(answer.map(|answer| answer.info.markup.as_str().to_owned()))
}

fn completion(analysis: &Analysis, file: FileId, place: &Place) -> Result<BTreeSet<String>> {
    let config = CompletionConfig {
        enable_postfix_completions: false,
        enable_imports_on_the_fly: false,
        enable_self_on_the_fly: true,
        enable_auto_iter: true,
        enable_auto_await: true,
        enable_private_editable: false,
        enable_term_search: false,
        term_search_fuel: 0,
        full_function_signatures: false,
        callable: None,
        add_semicolon_to_unit: false,
        snippet_cap: None,
        insert_use: InsertUseConfig {
            granularity: ImportGranularity::Crate,
            enforce_granularity: true,
            prefix_kind: PrefixKind::Plain,
            group: true,
            skip_glob_imports: true,
        },
        prefer_no_std: false,
        prefer_prelude: true,
        prefer_absolute: false,
        snippets: Vec::new(),
        limit: None,
        fields_to_resolve: CompletionFieldsToResolve::empty(),
        exclude_flyimport: Vec::new(),
        exclude_traits: &[],
        ra_fixture: RaFixtureConfig::default(),
    };
    let items = analysis.completions(&config, position(file, place), None).map_err(|_| anyhow!("canceled"))?;
    Ok(items.into_iter().flatten().map(|item| item.label.primary.to_string()).collect())
}

fn definition(analysis: &Analysis, file: FileId, place: &Place) -> Result<Vec<NavigationTarget>> {
    let config = GotoDefinitionConfig { ra_fixture: RaFixtureConfig::default() };
    let answer = analysis.goto_definition(position(file, place), &config).map_err(|_| anyhow!("canceled"))?;
    Ok(answer.map(|answer| answer.info).unwrap_or_default())
}

/// Returns the number of edits in the file, or why there are none.
fn rename(analysis: &Analysis, file: FileId, place: &Place) -> Result<Result<usize, String>> {
    let config =
        RenameConfig { prefer_no_std: false, prefer_prelude: true, prefer_absolute: false, show_conflicts: false };
    let answer = analysis.rename(position(file, place), "renamed", &config).map_err(|_| anyhow!("canceled"))?;
    Ok(answer.map_err(|error| error.to_string()).map(|change| {
        change.source_file_edits.iter().filter(|(edited, _)| **edited == file).map(|(_, (edit, _))| edit.len()).sum()
    }))
}

/// Returns the line of the target, if it is in the file.
fn line_of<'a>(place: &'a Place, file: FileId, target: &NavigationTarget) -> Option<&'a str> {
    let start = usize::from(target.focus_or_full_range().start());
    if target.file_id != file {
        return None;
    }
    let before = place.text.get(..start)?.rfind('\n').map_or(0, |newline| newline + 1);
    place.text.get(before..)?.lines().next()
}
