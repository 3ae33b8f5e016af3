// The examples that the program carries along; the first is what a newcomer sees.
examples! {
    "fix-until-green": "README.md" "pipeline.aivm" "input.txt" "calc/calc.sh" "calc/test.sh";
    "release-notes": "README.md" "pipeline.aivm" "input.txt";
    "csv-quarantine": "README.md" "pipeline.aivm" "pipeline.test.toml" "input.csv";
    "inbox-triage": "README.md" "pipeline.aivm" "input.txt" "cassette.jsonl"
        "pipeline.test.toml" "pipeline.snap/each-mail-comes-to-its-desk.txt";
    "ask-documents": "README.md" "pipeline.aivm" "input.txt" "docs/operations.md" "docs/security.md" "docs/travel.md";
    "known-answers": "README.md" "pipeline.aivm" "input.txt" "handbook.md";
    "bake-off": "README.md" "pipeline.aivm" "input.txt" "cassette.jsonl";
    "reply": "README.md" "pipeline.aivm" "input.txt" "cassette.jsonl";
    "mend-page": "README.md" "pipeline.aivm" "input.txt" "cassette.jsonl" "pages/news.md" "pages/opening.md";
    "regenerate": "README.md" "ai.toml" "input.tsv" "execute.awk" "regenerate.awk" "model/answer.awk" "model/examples.tsv"
        "workers/execute_algorithm.toml" "workers/evaluate_model.toml" "workers/gather_feedback.toml"
        "workers/fine_tune_model.toml" "workers/keep_examples.toml" "workers/regenerate_code.toml"
        "workers/keep_version.toml" "workers/deploy_model.toml" "workers/report_score.toml";
    "race": "README.md" "pipeline.aivm";
    "write-program": "README.md" "pipeline.aivm" "input.txt";
    "undo": "README.md" "pipeline.aivm";
    "saga-shop": "README.md" "saga.yaml" "policies.yaml" "input.json" "workers/bank.pay.toml" "workers/bank.refund.toml";
    "deploy": "README.md" "pipeline.aivm" "aivm.toml" "input.txt";
    "workflow-release": "README.md" "workflow.toml" "input.txt";
    "sketch-1": "README.md" "pipeline.aivm" "input.txt";
    "sketch-2": "README.md" "pipeline.aivm" "input.txt";
}
