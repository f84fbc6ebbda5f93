"""Sign in with Hugging Face, and act as the visitor: with their token, never with the owner's."""

import gradio as gr
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError


def greet(profile: gr.OAuthProfile | None) -> str:
    """Gradio fills in the profile from the session: it is no input, and a caller of the API cannot set it."""
    return "You are not signed in." if profile is None else f"Signed in as **{profile.username}**."


def repositories(kind: str, profile: gr.OAuthProfile | None, token: gr.OAuthToken | None) -> list[list]:
    """The visitor's own repositories, private ones too, as far as the scopes of the Space allow."""
    if profile is None or token is None:
        raise gr.Error("Sign in first.", print_exception=False)
    api = HfApi(token=token.token)  # in memory for this one call; never printed, stored or returned
    listing = {"models": api.list_models, "datasets": api.list_datasets, "Spaces": api.list_spaces}[kind]
    try:
        found = list(listing(author=profile.username, limit=50))
    except HfHubHTTPError:  # also on your own machine, where Gradio gives a stand-in that is no token
        raise gr.Error("The Hub refused. Sign out and in again.", print_exception=False) from None
    rows = [[each.id, "private" if each.private else "public"] for each in found]
    if not rows:
        gr.Info(f"No {kind} yet.")
    return rows


with gr.Blocks(title="My repositories") as demo:
    with gr.Row():
        with gr.Column(scale=3, min_width=280):
            gr.Markdown("# My repositories")
            who = gr.Markdown()
        gr.LoginButton(scale=1, min_width=240)
    with gr.Row(equal_height=True):
        kind = gr.Radio(["models", "datasets", "Spaces"], value="models", label="Kind", scale=3)
        go = gr.Button("List", variant="primary", scale=1)
    table = gr.Dataframe(headers=["Repository", "Visibility"], interactive=False, label="Repositories")
    demo.load(greet, None, who, api_visibility="private")
    go.click(repositories, kind, table, api_visibility="private")

if __name__ == "__main__":
    demo.launch()
