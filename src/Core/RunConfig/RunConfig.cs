namespace Rlhf.Core;

/// <summary>The loop's configuration, which every stage's executable reads too (<c>rlhf run CONFIG</c>).</summary>
public sealed partial record RunConfig
{
    [Doc("Seed of everything random.")]
    public ulong Seed { get; init; } = 1;

    [Doc("Run directory; made when missing."), PathRelative]
    public string Output { get; init; } = "runs/ppo";

    [Doc("Hugging Face folder of the policy to tune."), Required, PathRelative]
    public string Policy { get; init; } = "";

    [Doc("Hugging Face folder of the reference policy; empty: the policy as it was at the start."), PathRelative]
    public string Reference { get; init; } = "";

    [Doc("Iterations of generate → score → optimize."), Range(1, 1e6)]
    public int Iterations { get; init; } = 20;

    [Doc("Keep this many newest checkpoints (and policy folders); 0: all."), Range(0, 1e6), SafeToChange]
    public int KeepCheckpoints { get; init; } = 2;

    [Doc("Metric by which the best checkpoint is kept besides (higher is better; judged by the samples of the iteration after it); empty: none."), SafeToChange]
    public string KeepBest { get; init; } = "score/mean";

    [Doc("Write checkpoints beside the next iteration (a copy of weights and moments is held in memory meanwhile)."), SafeToChange]
    public bool BackgroundCheckpoints { get; init; } = true;

    [Doc("Also write a checkpoint within an iteration whenever it has trained for this many minutes; 0: only when it is interrupted."), Range(0, 1e5), SafeToChange]
    public double CheckpointMinutes { get; init; }

    [Doc("Threads of every engine; 0: all cores."), Range(0, 1024)]
    public int Threads { get; init; }

    [Doc("cpu, cuda or cuda:N.")]
    public string Device { get; init; } = "cpu";

    public GenerationConfig Generation { get; init; } = new();
    public ScoringConfig Scoring { get; init; } = new();
    [Doc("The method and its numbers."), FormerName("ppo")]
    public MethodConfig Method { get; init; } = new();
    public OptimizerConfig Optimizer { get; init; } = new();
    public EvaluationConfig Evaluation { get; init; } = new();

    [Doc("Continued training of a reward model during the run.")]
    public RewardTrainingConfig RewardTraining { get; init; } = new();

    [SafeToChange]
    public GuardConfig Guards { get; init; } = new();

    [SafeToChange]
    public RecoveryConfig Recovery { get; init; } = new();
}

/// <summary>How an iteration's responses are drawn (section <c>generation</c>).</summary>
public sealed record GenerationConfig
{
    [Doc("Prompt file: Parquet, JSONL, CSV."), Required, PathRelative]
    public string Prompts { get; init; } = "";

    [Doc("Column of the prompts.")]
    public string PromptColumn { get; init; } = "prompt";

    [Doc("Prompts of one iteration, taken in a seeded order that goes on over the iterations."), Range(1, 1e7)]
    public int PromptsPerIteration { get; init; } = 64;

    [Doc("Responses a prompt."), Range(1, 1e5)]
    public int SamplesPerPrompt { get; init; } = 1;

    [Doc("Most new tokens of a response."), Range(1, 1e6)]
    public int MaxNewTokens { get; init; } = 48;

    [Doc("Fewest new tokens of a response."), Range(0, 1e6)]
    public int MinNewTokens { get; init; }

    [Doc("Sampling temperature; log-probs are taken at it everywhere."), Range(0.01, 100)]
    public double Temperature { get; init; } = 1;

    [Doc("Keep the k most likely tokens; 0: all (what policy gradients assume)."), Range(0, 1e7)]
    public int TopK { get; init; }

    [Doc("Keep the most likely tokens up to this mass; 1: all."), Range(0.0001, 1)]
    public double TopP { get; init; } = 1;

    [Doc("Strings that end a response.")]
    public IReadOnlyList<string> StopStrings { get; init; } = [];

    [Doc("Rows decoded at once."), Range(1, 65536)]
    public int BatchSize { get; init; } = 64;

    [Doc("Responses drawn as one part; a stopped run goes on after the last finished part."), Range(1, 1e9)]
    public int PartResponses { get; init; } = 4096;

    [Doc("ort or genai."), OneOf("ort", "genai")]
    public string Engine { get; init; } = "ort";

    [Doc("Keep tokens at least this likely relative to the likeliest; 0: all."), Range(0, 1)]
    public double MinP { get; init; }

    [Doc("Above 1: tokens of prompt and response become less likely; 1: no penalty."), Range(0.01, 100)]
    public double RepetitionPenalty { get; init; } = 1;

    [Doc("Always the most likely token: for baselines and evaluation, not for policy gradients.")]
    public bool Greedy { get; init; }

    [Doc("Token ids that are never drawn.")]
    public IReadOnlyList<int> ForbiddenTokens { get; init; } = [];
}

/// <summary>What responses are worth (section <c>scoring</c>).</summary>
public sealed record ScoringConfig
{
    [Doc("Reward sources; the score is their weighted sum.")]
    public IReadOnlyList<RewardSourceConfig> Rewards { get; init; } = [];

    [Doc("Most tokens of one scoring batch, padding included."), Range(16, 1e9)]
    public int BatchTokens { get; init; } = 1024;
}

/// <summary>One reward: a model folder or a rule.</summary>
public sealed record RewardSourceConfig : IValidated
{
    [Doc("Name of the reward's column.")]
    public string Name { get; init; } = "";

    [Doc("ONNX reward-model folder (or a Hugging Face one, exported at the start)."), PathRelative]
    public string Model { get; init; } = "";

    [Doc("Rule with its arguments, as NAME:k=v,k=v.")]
    public string Rule { get; init; } = "";

    [Doc("Factor in the weighted sum."), Range(-1e6, 1e6)]
    public double Weight { get; init; } = 1;

    [Doc("What is done to the model's output: none, sigmoid (P of a binary model, bounded), log_sigmoid."), OneOf("none", "sigmoid", "log_sigmoid")]
    public string Transform { get; init; } = "none";

    [Doc("What the model judges: the whole text or the response alone.")]
    public RewardInput Input { get; init; } = RewardInput.PromptAndResponse;

    [Doc("The model reads the last so many tokens of a longer text; 0: as in its training."), Range(0, 1e6)]
    public int MaxLength { get; init; }

    [Doc("sequence: one reward, on the last token; token: a reward for each token of the response; step: a reward for each step, at its last token. Token and step need method.token_rewards.")]
    public RewardPer Per { get; init; } = RewardPer.Sequence;

    [Doc("The text that a step ends with, once or several times; what stands behind the last one is a step too.")]
    public string StepDelimiter { get; init; } = "\n";

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
    {
        if (Rule.Length > 0 && Model.Length == 0)
        {
            if (Transform != "none") yield return OfModels(nameof(Transform));
            if (Input != RewardInput.PromptAndResponse) yield return OfModels(nameof(Input));
            if (MaxLength > 0) yield return OfModels(nameof(MaxLength));
            if (Per != RewardPer.Sequence) yield return OfModels(nameof(Per));
        }

        if (Per != RewardPer.Step && StepDelimiter != "\n") yield return new(nameof(StepDelimiter), $"is for per: step; this reward is per {ConfigText.Of(Per)}. Leave it out or choose per: step.");
        ConfigProblem OfModels(string field) => new(field, $"is for reward models; '{Rule}' is a rule. Leave it out.");
    }

    /// <summary>The name, or where there is none that of the model's folder (empty for rules, which name themselves).</summary>
    public string ColumnName => Name.Length > 0 || Model.Length == 0 ? Name : Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(Model)));
}

/// <summary>What a reward model gives a reward to.</summary>
public enum RewardPer { Sequence, Token, Step }

/// <summary>What a reward model reads.</summary>
public enum RewardInput { PromptAndResponse, Response }

/// <summary>How a run is judged on prompts that it did not train on (section <c>evaluation</c>).</summary>
public sealed record EvaluationConfig
{
    [Doc("Held-out prompt file; empty: none."), PathRelative]
    public string Prompts { get; init; } = "";

    [Doc("Responses a held-out prompt."), Range(1, 1e5)]
    public int SamplesPerPrompt { get; init; } = 2;

    [Doc("Samples shown before and after in the report."), Range(0, 1000)]
    public int ReportSamples { get; init; } = 12;
}
