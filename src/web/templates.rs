//! Turns a view model into a page: our own templates over the official Jinja port of the NHS design system.
//!
//! Templates are read from disk in debug builds (edit, reload) and embedded in release builds.
//! This module never sees a request, a session or the database.

use minijinja::value::{Kwargs, Rest, Serde, Value};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, context,
};
use rust_embed::RustEmbed;
use serde::Serialize;

use super::assets::Manifest;

#[derive(RustEmbed)]
#[folder = "src/web/templates"]
struct OwnTemplates;

/// Fetched at build (never committed); without it the first page fails with a sentence that says so.
#[derive(RustEmbed)]
#[folder = "build/nhsuk-frontend-jinja/nhsuk_frontend_jinja/templates"]
#[allow_missing = true]
struct NhsTemplates;

/// The template engine of one node. Cheap to share behind an `Arc`; rendering never blocks.
pub struct Templates {
    environment: Environment<'static>,
    site: Site,
}

/// What every page says about the portal itself; comes from the configuration.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Site {
    /// Shown in the header where an NHS service has the logo.
    pub portal_name: String,
    /// `Demonstration, not an NHS service` where the configuration says so; `None` hides the banner.
    pub banner: Option<String>,
    /// Address of the help desk, on every page and every error page.
    pub help_email: String,
    /// Where the patients live whom the portal is for.
    pub area: String,
    /// Where the quick exit leads: a page that says nothing about health.
    pub quick_exit_url: String,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Templates")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

impl Templates {
    /// An engine for the given site.
    pub fn new(site: Site) -> Self {
        Self {
            environment: environment(),
            site,
        }
    }

    /// What every page says about the portal.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Renders `page` (a file below `src/web/templates`).
    ///
    /// The template sees `page` (the view model), `site`, `asset(name)` and `csp_nonce`.
    ///
    /// # Errors
    /// The template's own fault (missing file, bad expression): a bug or an incomplete build, never bad input.
    pub fn render<T: Serialize>(
        &self,
        page: &str,
        model: &T,
        csp_nonce: &str,
    ) -> Result<String, Error> {
        let context = context! {
            page => Value::from(Serde(model)),
            site => Value::from(Serde(&self.site)),
            cspNonce => csp_nonce,
        };
        self.with_environment(|environment| environment.get_template(page)?.render(context))
    }

    /// Debug builds parse afresh, so that an edited template shows on the next reload.
    #[cfg(debug_assertions)]
    fn with_environment<R>(&self, use_it: impl FnOnce(&Environment<'_>) -> R) -> R {
        let mut environment = self.environment.clone();
        environment.clear_templates();
        use_it(&environment)
    }

    #[cfg(not(debug_assertions))]
    fn with_environment<R>(&self, use_it: impl FnOnce(&Environment<'_>) -> R) -> R {
        use_it(&self.environment)
    }
}

/// The engine with the shims that make the NHS port render as it does under Python's Jinja.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // By default only names ending in `.html` are escaped, which leaves every NHS macro open to injection.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_formatter(print_value);
    environment.set_loader(|name| Ok(load(name)));
    environment.add_filter("length", length);
    environment.add_filter("truncate", truncate);
    environment.add_function("asset", |name: &str| Manifest::load().url(name));
    environment
}

/// Prints nothing for an empty `Option`, and leaves `/` alone: it means nothing in HTML texts and attributes,
/// and addresses stay readable in the page's source.
fn print_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    let plain = value
        .as_str()
        .filter(|_| !value.is_safe() && matches!(state.auto_escape(), AutoEscape::Html));
    if value.is_none() {
        return Ok(());
    }
    match plain {
        Some(text) => write_escaped(out, text).map_err(Error::from),
        None => minijinja::escape_formatter(out, state, value),
    }
}

fn write_escaped(out: &mut Output<'_>, text: &str) -> std::fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        out.write_str(&rest[..at])?;
        out.write_str(match rest.as_bytes()[at] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        })?;
        rest = &rest[at + 1..];
    }
    out.write_str(rest)
}

fn load(name: &str) -> Option<String> {
    let file = OwnTemplates::get(name).or_else(|| NhsTemplates::get(name))?;
    String::from_utf8(file.data.into_owned()).ok()
}

/// `length` of nothing is 0, as with Jinja's ChainableUndefined.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(0);
    }
    minijinja::filters::length(value)
}

/// `truncate(length, killwords, end)` with positional arguments, as the port calls it.
fn truncate(
    state: &mut State<'_, '_>,
    value: &Value,
    positional: Rest<Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    const NAMES: [&str; 4] = ["length", "killwords", "end", "leeway"];
    if positional.len() > NAMES.len() {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    let mut pairs: Vec<(String, Value)> = Vec::with_capacity(NAMES.len());
    for name in named.args() {
        pairs.push((name.to_owned(), named.get(name)?));
    }
    pairs.extend(
        NAMES
            .iter()
            .map(|name| (*name).to_owned())
            .zip(positional.0),
    );
    minijinja_contrib::filters::truncate(state, value, Kwargs::from_iter(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render_source(source: &str) -> String {
        let environment = environment();
        environment
            .render_named_str("page.jinja", source, context! {})
            .expect("the template renders")
    }

    #[test]
    fn a_script_in_a_title_stays_text_even_through_a_jinja_macro() {
        let html = render_source(
            r#"{% from "nhsuk/components/tag/macro.jinja" import tag %}{{ tag({"text": "<script>alert(1)</script>"}) }}"#,
        );
        assert!(html.contains("&lt;script&gt;"), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }

    #[test]
    fn every_sign_that_means_something_in_html_is_escaped_in_texts_and_attributes() {
        assert_eq!(
            render_source(r#"{{ "a<b>&'" ~ '"/' }}"#),
            "a&lt;b&gt;&amp;&#39;&quot;/"
        );
        assert_eq!(
            render_source(r#"{% set x = "<i>" %}{{ x | escape }}{{ x ~ "" }}"#),
            "&lt;i&gt;&lt;i&gt;"
        );
        assert_eq!(render_source("[{{ none }}{{ missing }}]"), "[]");
    }

    #[test]
    fn nothing_has_no_length() {
        assert_eq!(
            render_source("{{ none | length }}{{ missing.inner | length }}"),
            "00"
        );
    }

    #[test]
    fn text_is_cut_by_position_or_by_name() {
        assert_eq!(
            render_source(r#"{{ "Hello wide world" | truncate(8, true, "") }}"#),
            "Hello wi"
        );
        assert_eq!(
            render_source(
                r#"{{ "Hello wide world" | truncate(length=8, killwords=true, end="") }}"#
            ),
            "Hello wi"
        );
    }
}

#[cfg(test)]
#[path = "templates_conformance.rs"]
mod conformance;
