"""Charts, as figures of plotly: pure functions of figures and records, seen without a browser.

Colours that the theme decides (text, lines of the grid) are set by the style sheet, so that a
figure is the same in the light and in the dark. ``drawing`` is what all of them start from.
"""
