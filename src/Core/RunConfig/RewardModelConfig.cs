namespace Rlhf.Core;

/// <summary>What a reward model is trained to predict.</summary>
public enum RewardObjective { Binary, Regression, Huber, Pairwise, KWise, PlackettLuce, Discriminator, Process }

/// <summary><c>rlhf-optimize reward-model</c>.</summary>
public sealed partial record RewardModelConfig : TrainingConfig
{
    public RewardModelConfig()
    {
        Epochs = 2;
        EvaluateEvery = 200;
        Output = "runs/reward";
        Optimizer = new OptimizerConfig { LearningRate = 3e-4, Schedule = LearningRateShape.Cosine, WarmupSteps = 100, WeightDecay = 0.05 };
    }

    [Doc("binary (labels 0/1, reward = logit), regression, huber, pairwise (chosen/rejected), k_wise, plackett_luce (ranked lists), discriminator (people's texts against the policy's samples in `negatives`; its reward is log σ(score), transform log_sigmoid), process (a label a step).")]
    public RewardObjective Objective { get; init; } = RewardObjective.Binary;

    [Doc("Hugging Face folder whose trunk is the start; empty: a new model of `architecture`."), PathRelative]
    public string Model { get; init; } = "";

    [Doc("Folder with tokenizer.json; empty: the model's."), PathRelative]
    public string Tokenizer { get; init; } = "";

    [Doc("Shape of a new model.")]
    public ArchitectureConfig Architecture { get; init; } = new();

    [Doc("Where the scalar head reads: last or mean. A model that is a reward model already keeps its own."), OneOf("last", "mean")]
    public string Pooling { get; init; } = "last";

    [Doc("Files or globs of training data."), PathRelative]
    public IReadOnlyList<string> Data { get; init; } = [];

    [Doc("Column of texts (or completions) to be scored.")]
    public string TextColumn { get; init; } = "text";

    [Doc("Column of prompts put before the text; empty: none.")]
    public string PromptColumn { get; init; } = "";

    [Doc("Column of labels (binary) or scores (regression, huber).")]
    public string LabelColumn { get; init; } = "label";

    [Doc("Column of the better text (pairwise).")]
    public string ChosenColumn { get; init; } = "chosen";

    [Doc("Column of the worse text (pairwise).")]
    public string RejectedColumn { get; init; } = "rejected";

    [Doc("Column of answers, best first (k_wise, plackett_luce).")]
    public string RankingColumn { get; init; } = "ranking";

    [Doc("Text replaced in the data before tokenisation, as from → to.")]
    public IReadOnlyDictionary<string, string> Replace { get; init; } = new Dictionary<string, string>();

    [Doc("Longest text in tokens; longer ones keep their end, or a crop in training."), Range(2, 1e6)]
    public int MaxLength { get; init; } = 512;

    [Doc("Shortest random crop in training; 0: texts are never cropped. Crops teach the model to judge short responses."), Range(0, 1e6)]
    public int CropMin { get; init; }

    [Doc("Share of training texts that are cropped."), Range(0, 1)]
    public double CropShare { get; init; }

    [Doc("Share of input tokens replaced by random ones in training (augmentation)."), Range(0, 0.9)]
    public double TokenNoise { get; init; }

    [Doc("Dropout of the pooled state in training."), Range(0, 0.9)]
    public double Dropout { get; init; }

    [Doc("Margin by which the better text is to win (pairwise)."), Range(0, 100)]
    public double Margin { get; init; }

    [Doc("Weight of (R_chosen + R_rejected)², of a ranking the squared sum of all its rewards, which centres rewards (pairwise, k_wise, plackett_luce)."), Range(0, 10)]
    public double CenteringCoefficient { get; init; }

    [Doc("Most tokens of one forward pass, padding included."), Range(16, 1e8)]
    public int MicroBatchTokens { get; init; } = 4096;

    [Doc("Most held-out rows used for evaluations before the last."), Range(1, 1e9)]
    public int EvaluateRows { get; init; } = 1000;

    [Doc("Column of each pair's own margin, added to margin (pairwise); empty: none.")]
    public string MarginColumn { get; init; } = "";

    [Doc("Column of the steps of an answer, a list of texts (process).")]
    public string StepsColumn { get; init; } = "steps";

    [Doc("Column of the steps' labels, a list of 0 and 1 (process).")]
    public string StepLabelsColumn { get; init; } = "step_labels";

    [Doc("Files or globs that are held out whole; held_out_fraction then holds out nothing of `data` (of a discriminator's `negatives` it does)."), PathRelative]
    public IReadOnlyList<string> HeldOutData { get; init; } = [];

    [Doc("Files or globs of texts that should score low: the policy's samples (discriminator), or texts that fool the model: label 0 (binary), the lowest score (regression, huber), rejected beside a chosen text (pairwise)."), PathRelative]
    public IReadOnlyList<string> Negatives { get; init; } = [];

    [Doc("Column of texts in `negatives`.")]
    public string NegativeColumn { get; init; } = "response";

    [Doc("Column of prompts put before the negatives' texts; empty: none.")]
    public string NegativePromptColumn { get; init; } = "";

    [Doc("Label of negatives (binary): 0 says that they are no good texts, 0.5 that nothing can be told of them."), Range(0, 1)]
    public double NegativeLabel { get; init; }

    [Doc("Weight of the mean of R², which holds the rewards' size."), Range(0, 10)]
    public double ScaleCoefficient { get; init; }

    [Doc("Share of input tokens masked (replaced by the padding token) in training (augmentation)."), Range(0, 0.9)]
    public double TokenMask { get; init; }

    [Doc("Share of neighbouring input tokens swapped in training (augmentation)."), Range(0, 0.9)]
    public double TokenSwap { get; init; }

    [Doc("Adversarial training: norm ε of the step along the gradient by which the embeddings are moved for a second pass; 0: none."), Range(0, 100)]
    public double AdversarialEpsilon { get; init; }

    [Doc("Weight of the second pass's loss."), Range(0, 100)]
    public double AdversarialWeight { get; init; } = 1;

    [Doc("Evaluations without a better one after which training stops; 0: never. The best model is saved in any case."), Range(0, 1e6)]
    public int Patience { get; init; }

    [Doc("Scores (regression, huber) are brought to mean 0 and deviation 1 for training; gain and bias in the saved model bring its rewards back.")]
    public bool NormalizeLabels { get; init; }

    [Doc("Files or globs of reference texts: gain and bias in the saved model give its rewards on them mean 0 and deviation 1; empty: not."), PathRelative]
    public IReadOnlyList<string> NormalizeOn { get; init; } = [];

    [Doc("Column of texts in `normalize_on`.")]
    public string NormalizeColumn { get; init; } = "response";

    [Doc("Column of prompts put before the texts of `normalize_on`; empty: none.")]
    public string NormalizePromptColumn { get; init; } = "";

    [Doc("The temperature that makes held-out probabilities most likely is saved with the model (binary, discriminator, pairwise).")]
    public bool Calibrate { get; init; }
}
