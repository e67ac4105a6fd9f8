using Rlhf.Core;
using Rlhf.Models;
using Rlhf.Optimization;
using Rlhf.Tokenization;
using Rlhf.Trajectories;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Pipeline.Tests;

/// <summary>Rewards of single tokens and steps from a torch model through rlhf-score into an iteration of PPO.</summary>
public sealed class ProcessRewardTests
{
    private const double Tolerance = 1e-4;

    [TestCase("token")]
    [TestCase("step")]
    public void RewardsOfTheExportedModelReachTheTokensTargets(string per)
    {
        string folder = TinyRun.NewFolder("process-" + per), torchModel = Path.Combine(folder, "torch"), reward = Path.Combine(folder, "onnx"), scored = Path.Combine(folder, "scored.parquet");
        string trajectories = Path.Combine(folder, "trajectories.parquet"), rollouts = TinyRun.Iteration(1, "rollouts.parquet");
        using (LlamaModel trunk = LlamaModel.Load(TinyRun.Policy, ModelHead.Scalar, seed: 3)) trunk.Save(torchModel);
        foreach (string file in new[] { "tokenizer.json", "tokenizer_config.json" }) File.Copy(Path.Combine(TinyRun.Policy, file), Path.Combine(torchModel, file));
        ModelExport.Folder(torchModel, reward);

        Ended ended = Programs.Score(
        [
            "--in", rollouts, "--out", scored, "--reward-model", "process=" + reward, "--per", per, .. per == "step" ? ["--step-delimiter", " "] : Array.Empty<string>(),
            "--reference", TinyRun.Iteration(0, "policy"), "--threads", "1",
        ]);
        Assert.That(ended.Code, Is.Zero, ended.ToString());
        ScoredRollout[] rows = [.. ScoredFile.Read(scored)];
        int judged = 0;
        using (LlamaModel model = LlamaModel.Load(torchModel, trainable: false))
        using (Tokenizer tokenizer = Tokenizer.Open(torchModel))
        {
            foreach (ScoredRollout row in rows) judged += Compare(model, tokenizer, row, per == "step");
        }

        Assert.That(judged, Is.GreaterThan(rows.Length), "more than one reward a response");
        Assert.That(rows.Select(r => r.Scores.Score), Is.All.EqualTo(0.0));

        Ended trained = Programs.Optimize(
            "ppo", "--config", TinyRun.Config, "--set", "ppo.token_rewards=true", "--in", scored, "--trajectories", trajectories,
            "--policy-out", Path.Combine(folder, "policy"), "--checkpoint-out", Path.Combine(folder, "checkpoint"));
        Assert.That(trained.Code, Is.Zero, trained.ToString());
        Trajectory[] targets = [.. TrajectoryFile.Read(trajectories)];
        Assert.That(targets.Select(t => t.Scores.TokenRewards), Is.EqualTo(rows.Select(r => r.Scores.TokenRewards)));
        Ended blind = Programs.Optimize(
            "ppo", "--config", TinyRun.Config, "--in", scored, "--trajectories", trajectories, "--policy-out", Path.Combine(folder, "blind"), "--checkpoint-out", Path.Combine(folder, "blind-checkpoint"));
        Assert.That(blind.Code, Is.Zero, blind.ToString());
        double Difference(int i, float[] other) => targets[i].Targets.Returns!.Zip(other, (a, b) => Math.Abs(a - b)).Max();
        Assert.That(TrajectoryFile.Read(trajectories).Select((t, i) => Difference(i, t.Targets.Returns!)).Max(), Is.GreaterThan(1e-3), "the trainer's targets follow the tokens' rewards");
    }

    [Test]
    public void AMethodThatDoesNotReadTokenRewardsIsRefused()
    {
        Ended ended = Programs.Rlhf("run", TinyRun.Config, "--set", "scoring.rewards=[{model: model, per: step}]", "--set", "output=process-refused");
        Assert.That(ended.Code, Is.EqualTo((int)ExitCode.BadConfiguration), ended.ToString());
        Assert.That(ended.ToString(), Does.Contain("token_rewards: true"));
    }

    // Counts the tokens of a response that have a reward, each the torch model's at that token.
    private static int Compare(LlamaModel model, Tokenizer tokenizer, ScoredRollout row, bool steps)
    {
        int[] prompt = row.Rollout.PromptTokens, response = row.Rollout.ResponseTokens;
        int count = response.Length;
        while (count > 0 && tokenizer.IsSpecial(response[count - 1])) count--;
        using var scope = NewDisposeScope();
        using IDisposable noGrad = no_grad();
        int[] all = [.. prompt, .. response[..count]];
        Tensor states = model.Hidden(tensor(all.Select(t => (long)t).ToArray(), 1, all.Length));
        int judged = 0;
        for (int t = 0; t < response.Length; t++)
        {
            float found = row.Scores.TokenRewards![t];
            // A step ends where a space stands in the token or at the text's end.
            bool ends = t < count && (!steps || t == count - 1 || tokenizer.BytesOf(response[t]).Contains((byte)' '));
            if (!ends)
            {
                Assert.That(found, Is.Zero);
                continue;
            }

            // Pooled at this token: the text that ends here.
            float expected = model.Score(states, tensor(new long[] { prompt.Length + t + 1 }))[0].item<float>();
            if (found == 0 && steps) continue; // a run of delimiters over several tokens ends in the last of them
            Assert.That(found, Is.EqualTo(expected).Within(Tolerance));
            judged++;
        }

        return judged;
    }
}
