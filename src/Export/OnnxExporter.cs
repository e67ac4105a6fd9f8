using System.Text.Json;
using System.Text.Json.Nodes;
using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Export;

/// <summary>
/// Writes ONNX folders: model.onnx and its siblings, model.onnx.data, the configuration and the tokenizer. A folder appears whole or not
/// at all.
/// </summary>
public static class OnnxExporter
{
    public const string Model = "model.onnx", Rollout = "rollout.onnx", Sampled = "sampled.onnx", Scorer = "scorer.onnx", Debug = "debug.onnx";

    /// <summary>Graphs that go on from a cache, for scoring: of a reward folder (the second with a reward for every token), and of a policy folder.</summary>
    public const string CachedReward = "reward_cached.onnx", TokenRewards = "token_rewards.onnx", CachedScorer = "scorer_cached.onnx";

    /// <summary>File of a reward folder that says how the score is made.</summary>
    public const string RewardConfig = "rlhf_config.json";

    private static readonly string[] Own = [Model, Rollout, Sampled, Scorer, Debug, CachedReward, TokenRewards, CachedScorer, RewardConfig, DataLayout.FileName, GenAiConfig.FileName, FolderSeal.FileName];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Refuses a folder that holds anything else than an export, which would be lost with it.</summary>
    /// <param name="option">The option that named it, for the error.</param>
    /// <param name="folder">It need not be there.</param>
    /// <exception cref="ConfigurationException">It holds something else.</exception>
    public static void CheckReplaces(string option, string folder) => ReplacedFolder.Check(option, folder, "an exported model", name => Own.Contains(name) || TokenizerParts.Has(name));

    /// <summary>
    /// Writes the folder that ONNX Runtime GenAI deploys: model.onnx (logits of every position), rollout.onnx (of the last),
    /// sampled.onnx (tokens drawn from them), scorer.onnx
    /// (log-probabilities) and scorer_cached.onnx (the same, going on from a cache), one model.onnx.data for all, genai_config.json and the tokenizer.
    /// </summary>
    /// <param name="weights">Parameters as the trainer keeps them.</param>
    /// <param name="tokenizerSource">Folder with tokenizer.json.</param>
    /// <param name="folder">Written beside as folder.partial, then renamed; an older folder of the name is replaced.</param>
    /// <param name="options">What else to write.</param>
    /// <exception cref="BadModelException">A parameter is missing or has the wrong size, or the tokenizer is missing.</exception>
    /// <exception cref="NumericalException">A weight is NaN or infinite.</exception>
    /// <exception cref="BadDataException">The folder cannot be written.</exception>
    public static void ExportPolicy(IModelWeights weights, string tokenizerSource, string folder, ExportOptions? options = null)
    {
        options ??= new();
        WeightMap map = WeightMap.ForPolicy(weights.Shape);
        WriteFolder(folder, partial =>
        {
            TokenizerCopy.Make(tokenizerSource, partial);
            File.WriteAllText(Path.Combine(partial, GenAiConfig.FileName), GenAiConfig.Write(weights.Shape));
            DataLayout layout = new(map);
            foreach ((string file, byte[] model) in PolicyModels(map, options, layout)) File.WriteAllBytes(Path.Combine(partial, file), model);
            layout.Write(Path.Combine(partial, DataLayout.FileName), map, weights);
        });
    }

    /// <summary>
    /// Writes a reward model: model.onnx (input_ids, lengths → scores with gain and bias applied), token_rewards.onnx and, where the last token is
    /// pooled, reward_cached.onnx (going on from a cache), model.onnx.data, rlhf_config.json and
    /// the tokenizer. Parameters and exceptions as for <see cref="ExportPolicy"/>.
    /// </summary>
    public static void ExportReward(IModelWeights weights, string tokenizerSource, string folder, ExportOptions? options = null)
    {
        options ??= new();
        ModelShape shape = weights.Shape;
        WeightMap map = WeightMap.ForReward(shape);
        WriteFolder(folder, partial =>
        {
            TokenizerCopy.Make(tokenizerSource, partial);
            JsonObject config = new()
            {
                ["kind"] = "reward",
                ["label"] = options.Label,
                ["pooling"] = shape.Pooling == ScorePooling.Last ? "last" : "mean",
                ["gain"] = shape.RewardGain,
                ["bias"] = shape.RewardBias,
                ["temperature"] = shape.RewardTemperature,
                ["max_length"] = shape.MaxPositions,
                ["trained_length"] = shape.RewardMaxLength ?? shape.MaxPositions,
                ["vocab_size"] = shape.VocabularySize,
                ["bos_token_id"] = shape.BosTokenId,
                ["eos_token_id"] = shape.EosTokenIds.Count > 0 ? shape.EosTokenIds[0] : null,
            };
            File.WriteAllText(Path.Combine(partial, RewardConfig), config.ToJsonString(Indented));
            DataLayout layout = new(map);
            File.WriteAllBytes(Path.Combine(partial, Model), RewardGraph.Build(map, GraphStyle.Default).ToModel(layout));
            File.WriteAllBytes(Path.Combine(partial, TokenRewards), RewardGraph.BuildCached(map, GraphStyle.Default, tokens: true).ToModel(layout));
            if (shape.Pooling == ScorePooling.Last) File.WriteAllBytes(Path.Combine(partial, CachedReward), RewardGraph.BuildCached(map, GraphStyle.Default, tokens: false).ToModel(layout));
            layout.Write(Path.Combine(partial, DataLayout.FileName), map, weights);
        });
    }

    private static Dictionary<string, byte[]> PolicyModels(WeightMap map, ExportOptions options, DataLayout layout)
    {
        GraphStyle style = GraphStyle.Default;
        Dictionary<string, byte[]> models = new() { [Model] = PolicyGraph.Build(map, style, lastOnly: false, hiddenOutputs: false).ToModel(layout) };
        if (options.Rollout)
        {
            // Q heads are not laid out for these two; the graph of the last logits serves.
            bool heads = map.Shape.ActionValueBeta is not null;
            models[Rollout] = PolicyGraph.Build(map, heads ? style : GraphStyle.Decoding, lastOnly: true, hiddenOutputs: false).ToModel(layout);
            if (!heads) models[Sampled] = PolicyGraph.Build(map, GraphStyle.Device, lastOnly: true, hiddenOutputs: false, sampler: true).ToModel(layout);
        }

        if (options.Scorer)
        {
            models[Scorer] = ScorerGraph.Build(map, style, withEntropy: options.ScorerEntropy).ToModel(layout);
            models[CachedScorer] = ScorerGraph.Build(map, style, cached: true).ToModel(layout);
        }

        if (options.HiddenOutputs) models[Debug] = PolicyGraph.Build(map, style, lastOnly: false, hiddenOutputs: true).ToModel(layout);
        return models;
    }

    private static void WriteFolder(string folder, Action<string> fill)
    {
        using WholeFolder whole = new(folder);
        FileErrors.Writing(folder, () => fill(whole.PartialPath));
        whole.Complete();
    }
}
