"""Charts of the page as inline SVG and HTML: no script, colours from the style sheet, as wide as the page allows."""
