"""A component of one's own: HTML, CSS and a few lines of JavaScript, with values and events in Python."""

import gradio as gr

CRITERIA = ["Correct", "Complete", "Clear"]


class Stars(gr.HTML):
    """A rating of one to five stars; its value is the number, and `change` fires when the visitor sets it."""

    def __init__(self, value: int = 0, *, label: str, **options):
        super().__init__(
            value,
            label=label,
            name=label,  # any further argument is a name that the templates can use
            html_template="""
                <div class="name">${name}</div>
                <div class="stars" role="radiogroup" aria-label="${name}">
                  ${[1, 2, 3, 4, 5].map(n => `<button type="button" role="radio" data-n="${n}"
                     aria-checked="${n === value}" aria-label="${name}: ${n} of 5"
                     class="${n <= value ? 'on' : ''}">★</button>`).join('')}
                </div>""",
            css_template="""
                .name { font-weight: 600; }
                .stars button { font-size: 1.8rem; line-height: 1; padding: 2px 4px; border: 0;
                                background: none; box-shadow: none; cursor: pointer; color: var(--neutral-300); }
                .stars button.on { color: var(--color-accent); }
                .stars button:focus-visible { outline: 2px solid var(--color-accent); border-radius: 4px; }""",
            js_on_load="""
                element.addEventListener('click', event => {
                    const star = event.target.closest('button[data-n]');
                    if (star) { props.value = Number(star.dataset.n); trigger('change'); }
                });""",
            **options,
        )

    def api_info(self) -> dict:
        return {"type": "integer", "minimum": 0, "maximum": 5}


def grade(*stars: int) -> str:
    """The mean of the ratings, once all are given."""
    if not all(stars):
        return f"{sum(1 for each in stars if each)} of {len(stars)} rated"
    return f"**{sum(stars) / len(stars):.1f}** of 5"


with gr.Blocks(title="Rate an answer") as demo:
    gr.Markdown("# Rate an answer")
    with gr.Row():
        with gr.Column(scale=2):
            gr.Markdown(
                "> A learning rate says how far each step of training moves the weights. Too large, and the loss "
                "jumps; too small, and training takes for ever."
            )
        with gr.Column(scale=1, min_width=220):
            ratings = [Stars(label=name) for name in CRITERIA]
            result = gr.Markdown("0 of 3 rated")
            clear = gr.Button("Clear")
    gr.on([each.change for each in ratings], grade, ratings, result, api_name="grade", show_progress="hidden")
    clear.click(lambda: (*[0] * len(CRITERIA), "0 of 3 rated"), None, [*ratings, result], api_visibility="private")

# In Gradio 6 theme and css are given to launch(), no longer to Blocks().
THEME = gr.themes.Soft(primary_hue="amber", font=["system-ui", "sans-serif"])
CSS = ".gradio-container { max-width: 60rem !important; margin: 0 auto; }"

if __name__ == "__main__":
    demo.launch(theme=THEME, css=CSS)
