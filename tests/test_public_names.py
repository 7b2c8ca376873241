"""Every name that version 0.1.0 offered is still found under the same path."""

import importlib

import pytest

NAMES = {
    "medattn": """
        Study attach create_analyzer create_model data explain figures layers
        list_analyzers list_datasets list_layers list_models load_dataset
        load_zoo_model models run_study study teaching zoo
    """,
    "medattn.data": """
        Augmentation CARDS Dataset DatasetCard STUDY cache_folder draw_images
        find_card fit_image list_datasets load_dataset read_image
    """,
    "medattn.explain": """
        ANALYZERS area_gain attention_heads audit_line class_token_maps
        class_token_reader create_analyzer deletion edge_map evaluate_maps explainer
        gate_maps gate_reader insertion list_analyzers max_sensitivity mean_rows
        overlap pixel_map pointing_game randomisation_check reference_images
        register_rule relevance_auc relevance_mass relevance_rank run_eagerly
        shortcut_share sparseness top_region visualize_neuron with_reference
    """,
    "medattn.layers": """
        AttentionLayer BAM BahdanauAttention CBAM ChannelAttention CoordinateAttention
        EfficientChannelAttention Gate GlobalContext HardAttention LuongAttention
        LuongLocalAttention MultiHeadSelfAttention SequenceAttention SoftAttention
        SpatialAttention SqueezeExcite TAXONOMY list_layers
    """,
    "medattn.models": """
        ATTENTION MODELS attach complexity create_model deit densenet list_models
        load_pretrained load_weights resnet save_weights
    """,
    "medattn.study": """
        CONTRASTS PRESETS Study Trial brier_score compare compare_networks
        contrast_table evaluate gather_results probabilities promote_chances
        promote_trials read_chances read_results read_study reliability
        report_fragment run_study run_trial save_trial score_predictions study_status
        train_trial trial_id trial_name write_report
    """,
    "medattn.teaching": """
        CHECKS NotYet bars_figure check images_figure lines_figure list_quizzes
        maps_figure matrix_figure quiz reveal
    """,
    "medattn.teaching.checks": """
        CHECKS NotYet check
    """,
    "medattn.zoo": """
        check_zoo_files find_zoo_record list_own_models list_zoo_models load_own_model
        load_zoo_model load_zoo_weights
    """,
    "medattn_app": """
        launch
    """,
    "medattn.figures": """
        colour_scale contact_sheet explanation_figure explanation_grid grey
        outline_rgba pixel_relevance png_bytes relevance_rgba
    """,
}


@pytest.mark.parametrize(
    ("room", "name"), [(room, name) for room in NAMES for name in NAMES[room].split()]
)
def test_every_public_name_of_version_0_1_can_be_imported(room, name):
    assert getattr(importlib.import_module(room), name) is not None
