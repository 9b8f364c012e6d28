"""The page of --mode=app: its head, its tabs and its style."""

import pathlib

from fomm_jax.cli.page.animate_tab import add_animate_tab
from fomm_jax.cli.page.gradio import gradio as gr
from fomm_jax.cli.page.live_tab import add_live_tab
from fomm_jax.cli.page.studio import Studio

MAX_UPLOAD = "200mb"
HEAD = """# Animate a picture

Pick a picture and a video: the picture moves as the video does. Nothing leaves this computer.
Please animate people only if they agree."""
HEAD_DEMO = """ The little model here only knows drawn heads; `--checkpoint` brings another."""
# Small inputs side by side also where the page is narrow, and no empty space above them.
STYLE = """
.gradio-container {padding-top: 8px !important}
#inputs {flex-wrap: nowrap}
#inputs > * {min-width: 0 !important}
#result, #live_result {max-height: 90vw}
@media (max-width: 600px) {
  #examples, #examples .grid-wrap {height: auto !important; min-height: 0 !important}
  #picture, #video, #live_picture, #camera {height: 230px !important}
}
"""


def build_page(studio: Studio) -> gr.Blocks:
    """Build the page."""
    with gr.Blocks(title="Animate a picture", analytics_enabled=False) as page:
        gr.Markdown(HEAD + (HEAD_DEMO if studio.checkpoint is None else ""))
        with gr.Tab("With a video"):
            add_animate_tab(studio)
        with gr.Tab("With your camera"):
            add_live_tab(studio)
    return page


def serve_page(page: gr.Blocks, host: str, port: int | None, folder: pathlib.Path) -> None:
    """Serve a page until Ctrl-C.

    Args:
      page: the page.
      host: the address to listen on.
      port: the port to listen on; None: the first free one from 7860 on.
      folder: the only folder whose files the page may show.
    """
    page.launch(
        server_name=host,
        server_port=port,
        max_file_size=MAX_UPLOAD,
        allowed_paths=[str(folder)],
        share=False,
        footer_links=[],
        css=STYLE,
        # The default theme fetches its fonts from Google.
        theme=gr.themes.Default(font="system-ui", font_mono="monospace"),
    )
