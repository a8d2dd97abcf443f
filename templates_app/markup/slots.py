from templates_app.tags import Kind, Piece


def is_slot(piece: Piece) -> bool:
    """`{{ content }}`, where a layout has the content."""
    return piece.kind is Kind.PRINT and piece.inside == "content"
