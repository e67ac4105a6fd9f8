namespace Rlhf.Core;

/// <summary>Settings that contradict each other, or would do nothing.</summary>
public sealed partial record RewardModelConfig : IValidated
{
    private static readonly RewardModelConfig Default = new();

    /// <inheritdoc/>
    public IEnumerable<ConfigProblem> Validate()
    {
        bool isPairwise = Objective == RewardObjective.Pairwise, isProcess = Objective == RewardObjective.Process, isScore = Objective is RewardObjective.Regression or RewardObjective.Huber;
        bool isRanking = Objective is RewardObjective.KWise or RewardObjective.PlackettLuce;
        (string Field, bool IsSet, bool HasEffect, string Of)[] ofObjectives =
        [
            (nameof(Margin), Margin > 0, isPairwise, "pairwise"),
            (nameof(MarginColumn), MarginColumn.Length > 0, isPairwise, "pairwise"),
            (nameof(ChosenColumn), ChosenColumn != Default.ChosenColumn, isPairwise, "pairwise"),
            (nameof(RejectedColumn), RejectedColumn != Default.RejectedColumn, isPairwise, "pairwise"),
            (nameof(RankingColumn), RankingColumn != Default.RankingColumn, isRanking, "k_wise and plackett_luce"),
            (nameof(StepsColumn), StepsColumn != Default.StepsColumn, isProcess, "process"),
            (nameof(StepLabelsColumn), StepLabelsColumn != Default.StepLabelsColumn, isProcess, "process"),
            (nameof(TextColumn), TextColumn != Default.TextColumn, !isPairwise && !isRanking && !isProcess, "binary, regression, huber and discriminator"),
            (nameof(LabelColumn), LabelColumn != Default.LabelColumn, isScore || Objective == RewardObjective.Binary, "binary, regression and huber"),
            (nameof(NormalizeLabels), NormalizeLabels, isScore, "regression and huber, which have scores to normalise"),
            (nameof(NegativeLabel), NegativeLabel > 0, Objective == RewardObjective.Binary, "binary"),
            (nameof(Negatives), Negatives.Count > 0, !isRanking && !isProcess, "binary, regression, huber, pairwise and discriminator: it is texts that belong to no comparison or step"),
            (nameof(CenteringCoefficient), CenteringCoefficient > 0, isPairwise || isRanking, "pairwise, k_wise and plackett_luce, whose rewards have no zero of their own"),
            (nameof(Calibrate), Calibrate, isPairwise || Objective is RewardObjective.Binary or RewardObjective.Discriminator, "binary, discriminator and pairwise, which have a probability to calibrate"),
            (nameof(CropShare), CropShare > 0, !isProcess, "texts that are judged as a whole; a crop would lose steps"),
            (nameof(TokenSwap), TokenSwap > 0, !isProcess, "texts that are judged as a whole; a swap would move the tokens at which steps are judged"),
        ];
        foreach ((string field, bool isSet, bool hasEffect, string of) in ofObjectives)
        {
            if (isSet && !hasEffect) yield return new(field, $"is for {of}; the objective is {ConfigText.Of(Objective)}. Leave it out or choose the objective.");
        }

        foreach (ConfigProblem problem in Augmentation()) yield return problem;
        if (Calibrate && NormalizeOn.Count > 0 && !isPairwise)
            yield return new(nameof(Calibrate), "does not go with normalize_on: a normalised reward is no logit any more, so σ(reward / T) means nothing. Choose one of the two.");
        if (HeldOutFraction == 0 && HeldOutData.Count == 0)
        {
            if (Calibrate) yield return HeldOut(nameof(Calibrate), "the temperature is fitted on held-out rows");
            if (Patience > 0) yield return HeldOut(nameof(Patience), "training stops where held-out rows are judged no better");
        }

        if (Negatives.Count == 0 && NegativeColumn != Default.NegativeColumn) yield return new(nameof(NegativeColumn), "is the column of texts in negatives, which names no file. Leave it out or give negatives.");
        if (Negatives.Count == 0 && NegativePromptColumn.Length > 0) yield return new(nameof(NegativePromptColumn), "is the column of prompts in negatives, which names no file. Leave it out or give negatives.");
        if (NormalizeOn.Count == 0 && NormalizeColumn != Default.NormalizeColumn) yield return new(nameof(NormalizeColumn), "is the column of texts in normalize_on, which names no file. Leave it out or give normalize_on.");
        if (NormalizeOn.Count == 0 && NormalizePromptColumn.Length > 0) yield return new(nameof(NormalizePromptColumn), "is the column of prompts in normalize_on, which names no file. Leave it out or give normalize_on.");
        if (AdversarialEpsilon > 0 && AdversarialWeight == 0) yield return new(nameof(AdversarialWeight), $"must be above 0 while adversarial_epsilon is {ConfigText.Of(AdversarialEpsilon)}: the second pass would count nothing.");
        if (Model.Length > 0 && Architecture != Default.Architecture) yield return new(nameof(Architecture), "is the shape of a new model; this one starts from model, which has its own. Leave one of the two out.");
        ConfigProblem HeldOut(string field, string why) => new(field, $"needs rows that are held out: {why}. Raise held_out_fraction or name held_out_data.");
    }

    private IEnumerable<ConfigProblem> Augmentation()
    {
        if (CropMin > 0 && CropShare == 0) yield return new(nameof(CropMin), "does nothing while crop_share is 0: no text is cropped. Give crop_share, or leave it out.");
        if (CropMin == 0 && CropShare > 0) yield return new(nameof(CropShare), "does nothing while crop_min is 0: texts are never cropped. Give crop_min, the shortest crop, or leave it out.");
        if (CropMin >= MaxLength) yield return new(nameof(CropMin), $"must be below max_length ({MaxLength}): longer texts are cut to that in any case.");
        if (TokenNoise + TokenMask > 1) yield return new(nameof(TokenMask), $"must be at most 1 together with token_noise ({ConfigText.Of(TokenNoise)}): a token is replaced or masked.");
    }
}
