"""Tables, figures, the page, model cards, and what is shipped."""
