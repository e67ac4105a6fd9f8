namespace Rlhf.Core;

/// <summary>Which loss learns from preferences.</summary>
public enum PreferenceMethod { Dpo, Ipo, Kto, Orpo, Simpo }

/// <summary><c>rlhf-optimize dpo|ipo|kto|orpo|simpo</c>: a policy learns from preferred and rejected responses, without a reward model.</summary>
public sealed record PreferenceConfig : TrainingConfig, IValidated
{
    public PreferenceConfig()
    {
        Output = "runs/preference";
        Optimizer = new OptimizerConfig { LearningRate = 5e-5, Schedule = LearningRateShape.Linear, WarmupSteps = 10 };
    }

    [Doc("dpo, ipo, kto, orpo or simpo; the command of the same name runs it."), Required]
    public PreferenceMethod Method { get; init; }

    [Doc("Hugging Face folder of the policy to tune."), Required, PathRelative]
    public string Model { get; init; } = "";

    [Doc("Hugging Face folder of the reference (dpo, ipo, kto); empty: the policy as it is at the start."), PathRelative]
    public string Reference { get; init; } = "";

    [Doc("Files or globs of preferences: Parquet, JSONL, CSV. Columns prompt_tokens, chosen_tokens and rejected_tokens, where all are there, win over the texts."), PathRelative]
    public IReadOnlyList<string> Data { get; init; } = [];

    [Doc("Column of prompts; empty: the responses are whole texts.")]
    public string PromptColumn { get; init; } = "prompt";

    [Doc("Column of the better response.")]
    public string ChosenColumn { get; init; } = "chosen";

    [Doc("Column of the worse response.")]
    public string RejectedColumn { get; init; } = "rejected";

    [Doc("kto: column of labels of single responses (true/false, 1/0, 1/-1, up/down); empty: the data are pairs, one good and one bad response each.")]
    public string LabelColumn { get; init; } = "";

    [Doc("kto with label_column: column of the responses.")]
    public string CompletionColumn { get; init; } = "completion";

    [Doc("Text replaced in the data before tokenisation, as from → to.")]
    public IReadOnlyDictionary<string, string> Replace { get; init; } = new Dictionary<string, string>();

    [Doc("Longest prompt and response together, in tokens; longer responses are cut."), Range(2, 1e6)]
    public int MaxLength { get; init; } = 512;

    [Doc("β of dpo, ipo, kto (papers: 0.1) and simpo (paper: 2), λ of orpo (paper: 0.1)."), Range(0, 1000, MinimumIsOpen = true)]
    public double Beta { get; init; } = 0.1;

    [Doc("dpo: ε, the share of labels taken to be wrong (cDPO)."), Range(0, 0.5, MaximumIsOpen = true)]
    public double LabelSmoothing { get; init; }

    [Doc("ipo: use the mean of a response's log-probs instead of their sum.")]
    public bool MeanLogProbs { get; init; }

    [Doc("simpo: γ, the reward margin aimed at."), Range(0, 100)]
    public double Margin { get; init; }

    [Doc("kto: λ_D, weight of good responses."), Range(0, 100, MinimumIsOpen = true)]
    public double DesirableWeight { get; init; } = 1;

    [Doc("kto: λ_U, weight of bad responses."), Range(0, 100, MinimumIsOpen = true)]
    public double UndesirableWeight { get; init; } = 1;

    [Doc("Most tokens of one forward pass, padding included; does not change the loss."), Range(16, 1e8)]
    public int MicroBatchTokens { get; init; } = 4096;

    [Doc("Also export an ONNX folder: onnx/ in the output.")]
    public bool Export { get; init; } = true;

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
    {
        string method = Method.ToString().ToLowerInvariant();
        if (LabelSmoothing > 0 && Method != PreferenceMethod.Dpo) yield return Only(nameof(LabelSmoothing), "dpo (as cDPO)");
        if (MeanLogProbs && Method != PreferenceMethod.Ipo) yield return Only(nameof(MeanLogProbs), "ipo; orpo and simpo take the mean always, dpo and kto the sum");
        if (Margin > 0 && Method != PreferenceMethod.Simpo) yield return Only(nameof(Margin), "simpo");
        if (LabelColumn.Length > 0 && Method != PreferenceMethod.Kto) yield return Only(nameof(LabelColumn), "kto; the others need pairs");
        if ((DesirableWeight != 1 || UndesirableWeight != 1) && Method != PreferenceMethod.Kto) yield return Only(nameof(DesirableWeight), "kto, as is undesirable_weight");
        if (Reference.Length > 0 && Method is PreferenceMethod.Orpo or PreferenceMethod.Simpo) yield return new(nameof(Reference), $"must be left out: {method} has no reference.");
        ConfigProblem Only(string field, string of) => new(field, $"is for {of}; the method is {method}. Leave it out or choose the method.");
    }
}
