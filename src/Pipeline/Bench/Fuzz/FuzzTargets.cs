using System.Globalization;
using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Generation;
using Rlhf.Generation.Ort;
using Rlhf.Models;
using Rlhf.Optimization;
using Rlhf.Scoring;
using Rlhf.Tokenization;
using Rlhf.Trajectories;
using TorchSharp;

namespace Rlhf.Pipeline.Bench;

/// <summary>A parser under test.</summary>
/// <param name="Name">For people.</param>
/// <param name="Files">Files below the corpus folder that are damaged, one at a time.</param>
/// <param name="Use">Reads the input as the product does and returns what came out of it as a text.</param>
/// <param name="Extra">True: not a parser of this project; tried only when it is asked for by name.</param>
/// <param name="Sealed">True: the format carries checksums, so damage must be found or leave what is read unchanged.</param>
internal sealed record FuzzTarget(string Name, IReadOnlyList<string> Files, Func<string> Use, bool Sealed = false, bool Extra = false)
{
    public static FuzzFormat FormatOf(string file) => Path.GetExtension(file) switch
    {
        ".json" or ".jsonl" => FuzzFormat.Json,
        ".yaml" or ".csv" or ".txt" => FuzzFormat.Text,
        _ => FuzzFormat.Binary,
    };
}

/// <summary>What is known of a file's bytes.</summary>
internal enum FuzzFormat
{
    Binary,
    Text,
    Json,
}

/// <summary>A small valid example of everything that the product reads, and how it reads it.</summary>
internal static class FuzzTargets
{
    private static readonly SamplingOptions Sampling = new() { MaxNewTokens = 4, BatchSize = 2, Seed = 1 };

    /// <summary>Writes the corpus.</summary>
    public static void Write(string folder)
    {
        string At(string name) => Path.Combine(folder, name);
        TinyModel.Write(At("model"));
        TinyModel.Write(At("reward-model"), ModelHead.Scalar);
        ModelExport.Folder(At("model"), At("policy"));
        ModelExport.Folder(At("reward-model"), At("reward"));
        FuzzTexts.Write(folder);
        FuzzTokenizers.Write(folder);
        using (GenerationStage generation = GenerationStage.Open(At("policy"), "ort", 1)) generation.Run(PromptFile.Read(At("prompts.jsonl"), "prompt"), Sampling, At("rollouts.parquet"));
        RewardSourceConfig[] rewards = [new() { Name = "length", Rule = "length:unit=tokens,target=6,width=12" }];
        using (var scoring = new ScoringStage(rewards, At("policy"), 1)) scoring.Run(new ScoringJob { Input = At("rollouts.parquet"), Output = At("scored.parquet") });
        File.Copy(At("prompts.jsonl"), At("short.jsonl"));
        FuzzPolicies.Write(folder);
        FuzzRewards.Write(folder);
        RunConfig config = Config(folder);
        using (RunDirectory run = RunDirectory.Create(At("run"), config, Manifest.Of(config)))
        using (RunLoop loop = RunLoop.Begin(config, run)) loop.Run(CancellationToken.None);
        File.Copy(Path.Combine(At("run"), "config.resolved.yaml"), At("config.yaml"));
        FuzzUnfinished.Write(folder, config);
    }

    /// <summary>The parsers, over a corpus that <see cref="Write"/> made.</summary>
    public static IReadOnlyList<FuzzTarget> All(string folder)
    {
        string At(string name) => Path.Combine(folder, name);
        RunConfig config = Config(folder);
        return
        [
            new("safetensors", ["model/model.safetensors"], () =>
            {
                using LlamaModel model = LlamaModel.Load(At("model"), trainable: false);
                return model.Parameters.Hash();
            }),
            new("config.json", ["model/config.json", "reward-model/config.json"], () =>
            {
                using LlamaModel model = LlamaModel.Load(At("model"), trainable: false), reward = LlamaModel.Load(At("reward-model"), trainable: false);
                using torch.Tensor ids = torch.tensor(new long[] { 1, 2, 3 }, 1, 3);
                using IDisposable noGrad = torch.no_grad();
                using torch.Tensor hidden = model.Hidden(ids);
                return model.Config.VocabSize.ToString(CultureInfo.InvariantCulture);
            }),
            new("tokenizer", ["model/tokenizer.json", "model/tokenizer_config.json"], () =>
            {
                using Tokenizer tokenizer = Tokenizer.Open(At("model"));
                int[] ids = tokenizer.EncodePrompt("the river turned slowly");
                return tokenizer.Decode(ids) + string.Concat(ids.Select(i => tokenizer.BytesOf(i).Length));
            }),
            new("tokenizer in parts", ["parts/tokenizer.json", "parts/tokenizer_config.json", "parts/config.json"], () =>
            {
                using Tokenizer tokenizer = Tokenizer.Open(At("parts"));
                int[] ids = tokenizer.EncodePrompt("the river turned slowly");
                return tokenizer.Decode(ids) + string.Concat(ids.Select(i => tokenizer.BytesOf(i).Length));
            }),
            new("configuration", ["config.yaml"], () => ConfigWriter.ToYaml(ConfigBinder.Load<RunConfig>(At("config.yaml"), []))),
            new("onnx", ["policy/model.onnx", "policy/rollout.onnx", "policy/scorer.onnx", "policy/scorer_cached.onnx", "policy/model.onnx.data"], () =>
            {
                OnnxFolder.Open(At("policy"));
                foreach (string graph in (string[])["model.onnx", "rollout.onnx", "scorer.onnx", "scorer_cached.onnx"]) OnnxFile.Check(Path.Combine(At("policy"), graph));
                return "";
            }),
            .. FuzzPolicies.Targets(folder),
            new("rlhf_config.json", ["reward/rlhf_config.json"], () =>
            {
                using var model = new RewardModel(At("reward"), 1);
                double[] scores = new double[1];
                model.Score([model.Encode("the river")], [0], scores);
                return scores[0].ToString("R", CultureInfo.InvariantCulture);
            }),
            new("rollouts.parquet", ["rollouts.parquet"], () => $"{RolloutFile.Read(At("rollouts.parquet")).Sum(r => r.ResponseTokens.Length)}"),
            new("scored.parquet", ["scored.parquet"], () => $"{ScoredFile.Read(At("scored.parquet")).Sum(r => r.Scores.Score)}"),
            .. FuzzTexts.Targets(folder),
            .. FuzzRewards.Targets(folder),
            .. FuzzUnfinished.Targets(folder, config),
            new("run directory", ["run/manifest.json", "run/metrics.jsonl", "run/config.resolved.yaml", "run/iterations/0001/files.json", "run/iterations/0001/rollouts.parquet"], () =>
            {
                using RunDirectory run = RunDirectory.OpenForReading(At("run"));
                run.ReadManifest();
                string[] problems = [.. run.Inspect().SelectMany(i => i.Problems)];
                if (problems.Length > 0) throw new BadDataException(problems[0]);
                ResumePoint.Find(run, config, restart: false);
                return string.Join('\n', MetricsFile.Read(run.MetricsPath).Select(r => r.Iteration));
            }),
            new("checkpoint", ["run/checkpoints/0001/weights.safetensors", "run/checkpoints/0001/state.json", "run/checkpoints/0001/files.json"], () =>
            {
                string checkpoint = Path.Combine(At("run"), "checkpoints", "0001");
                IReadOnlyList<string> problems = FolderSeal.Problems(checkpoint);
                if (problems.Count > 0) throw new BadDataException(problems[0]);
                using PolicySession session = PolicySession.Open(config, checkpoint);
                return session.Policy.Parameters.Hash() + session.State;
            }, Sealed: true),
            new("checkpoint alone", ["run/checkpoints/0001/weights.safetensors", "run/checkpoints/0001/state.json"], () =>
            {
                using PolicySession session = PolicySession.Open(config, Path.Combine(At("run"), "checkpoints", "0001"));
                return session.Policy.Parameters.Hash();
            }, Sealed: true),
        ];
    }

    private static RunConfig Config(string folder) => new()
    {
        Seed = 1, Output = Path.Combine(folder, "run"), Policy = Path.Combine(folder, "model"), Iterations = 1, Threads = 1,
        Generation = new GenerationConfig { Prompts = Path.Combine(folder, "short.jsonl"), PromptsPerIteration = 4, MaxNewTokens = 4 },
        Scoring = new ScoringConfig { Rewards = [new RewardSourceConfig { Name = "length", Rule = "length:unit=tokens,target=6,width=12" }] },
        Method = new MethodConfig { Epochs = 1, MinibatchSize = 4 },
    };
}
