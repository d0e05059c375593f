//! Renders every published example of the NHS design system and compares it with the published HTML.
//!
//! An upgrade of the design system, of its Jinja port or of the engine that changes a component fails here.

use std::path::{Path, PathBuf};

use minijinja::context;
use minijinja::value::Value;

/// `file-upload` prints `", "` where the fixture has `","` inside a JSON attribute: the same value.
const KNOWN_DIFFERENCES: [&str; 1] = ["file-upload: button"];
/// Fixtures of release 10.6.1; a lower number would mean that the test has stopped looking.
const FEWEST_FIXTURES: usize = 983;

#[test]
fn the_engine_renders_the_design_system_as_published() {
    let mut components = Vec::new();
    components_below(&components_folder(), &mut components);
    let environment = super::environment();
    let (mut seen, mut differing) = (0, Vec::new());
    for component in components {
        let source = source_of(&component);
        for fixture in fixtures_of(&component) {
            seen += 1;
            let wanted = field(&fixture, "html").to_string();
            let name = format!("{component}: {}", field(&fixture, "name"));
            let context = context! { params => field(&fixture, "context"), block => field(&fixture, "callBlock") };
            match environment.render_named_str("fixture.jinja", &source, context) {
                Ok(html) if normalised(&html) == normalised(&wanted) => {}
                Ok(_) => differing.push(name),
                Err(error) => differing.push(format!("{name}: {error:#}")),
            }
        }
    }
    assert!(seen >= FEWEST_FIXTURES, "only {seen} fixtures found");
    differing.retain(|name| !KNOWN_DIFFERENCES.contains(&name.as_str()));
    assert!(
        differing.is_empty(),
        "{} of {seen} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
}

fn components_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("web/node_modules/nhsuk-frontend/dist/nhsuk/components")
}

/// Names (paths below the components' folder) of everything that publishes examples.
fn components_below(folder: &Path, found: &mut Vec<String>) {
    let entries = std::fs::read_dir(folder)
        .expect("the NHS components are not there: run `make tools` first");
    for path in entries.map(|entry| entry.expect("a readable entry").path()) {
        if path.is_dir() {
            components_below(&path, found);
        } else if path.file_name().is_some_and(|name| name == "fixtures.json") {
            let relative = folder
                .strip_prefix(components_folder())
                .expect("a folder below the components");
            found.push(relative.display().to_string());
        }
    }
}

/// Read straight into template values: they keep the order of keys, on which attributes depend.
fn fixtures_of(component: &str) -> Vec<Value> {
    let path = components_folder().join(component).join("fixtures.json");
    let text = std::fs::read_to_string(path).expect("a readable fixture file");
    let file: Value = serde_json::from_str(&text).expect("fixtures are JSON");
    field(&file, "fixtures")
        .try_iter()
        .expect("a list of fixtures")
        .collect()
}

fn field(value: &Value, name: &str) -> Value {
    value.get_attr(name).expect("a field of an object")
}

/// A page that calls the component's macro as ours do, with and without a block of HTML.
fn source_of(component: &str) -> String {
    let file = format!("nhsuk/components/{component}/macro.jinja");
    let source = super::load(&file).expect("the port has every component: run `make tools` first");
    let name = source
        .split("macro ")
        .nth(1)
        .and_then(|rest| rest.split('(').next())
        .expect("a macro");
    format!(
        "{{% from '{file}' import {name} %}}\
         {{% if block %}}{{% call {name}(params) %}}{{{{ block | safe }}}}{{% endcall %}}\
         {{% else %}}{{{{ {name}(params) }}}}{{% endif %}}"
    )
}

/// Tags and texts without the white space and the spelling of entities, which carry no meaning here.
fn normalised(html: &str) -> String {
    const ENTITIES: [(&str, &str); 8] = [
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&#x2f;", "/"),
        ("&gt;", ">"),
        ("&lt;", "<"),
        ("&amp;", "&"),
    ];
    let plain = ENTITIES
        .iter()
        .fold(html.to_owned(), |text, (entity, sign)| {
            text.replace(entity, sign)
        });
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    [
        ("> ", ">"),
        (" <", "<"),
        (" >", ">"),
        ("\" ", "\""),
        (" \"", "\""),
    ]
    .iter()
    .fold(words, |text, (from, to)| text.replace(from, to))
}
