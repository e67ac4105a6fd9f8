using System.CommandLine;
using Rlhf.Core;
using Rlhf.Generation;
using Rlhf.Models;
using Rlhf.Trajectories;
using TorchSharp;
using static TorchSharp.torch;

namespace Rlhf.Pipeline;

/// <summary><c>rlhf eval greedy</c>: do torch and an ONNX engine choose the same tokens?</summary>
public static class EvalGreedy
{
    /// <summary>Two best logits nearer than this are a tie that rounding may break either way.</summary>
    private const double TieMargin = 1e-4;

    public static Command Create()
    {
        var weights = new Option<string>("--weights") { Description = "Hugging Face folder, run in torch.", HelpName = "DIR", Required = true };
        var policy = new Option<string>("--policy") { Description = "ONNX folder of the same weights.", HelpName = "DIR", Required = true };
        var prompts = new Option<string>("--prompts") { Description = "Prompt file.", HelpName = "FILE", Required = true };
        var engine = new Option<string>("--engine") { Description = "The engine that is held against torch.", HelpName = "genai|ort", DefaultValueFactory = _ => "genai" };
        var count = new Option<int>("--count") { Description = "Prompts.", HelpName = "N", DefaultValueFactory = _ => 100 };
        var tokens = new Option<int>("--tokens") { Description = "New tokens a prompt.", HelpName = "N", DefaultValueFactory = _ => 40 };
        var command = new Command("greedy", "Compares greedy tokens of torch with an ONNX engine's, position by position.") { weights, policy, prompts, engine, count, tokens };
        CommonOptions.AddTo(command, Offered.LogLevel);
        command.SetAction((parsed, cancellation) =>
        {
            using GenerationStage stage = GenerationStage.Open(parsed.GetValue(policy)!, parsed.GetValue(engine)!);
            using LlamaModel model = LlamaModel.Load(parsed.GetValue(weights)!, ModelHead.LanguageModel, trainable: false);
            Prompt[] wanted = [.. PromptFile.Read(parsed.GetValue(prompts)!).Take(parsed.GetValue(count))];
            var sampling = new SamplingOptions { Greedy = true, MaxNewTokens = parsed.GetValue(tokens), BatchSize = 16 };
            int compared = 0, ties = 0, different = 0, rows = 0;
            foreach (Rollout rollout in stage.Engine.Generate(wanted, sampling, cancellation))
            {
                rows++;
                (int bad, int near, int all) = Compare(model, rollout);
                different += bad;
                ties += near;
                compared += all;
            }

            System.Console.WriteLine($"{rows} prompts, {compared:N0} greedy tokens compared ({parsed.GetValue(engine)} against torch): {different} differ; {ties} of them where the two best logits are within {TieMargin:0e0}");
            if (different > ties) throw new NumericalException($"{different - ties} greedy tokens differ beyond ties; the exported policy is not the trained one.");
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }

    // Teacher-forced: torch reads the engine's tokens, so one difference does not hide what follows.
    private static (int Different, int Ties, int All) Compare(LlamaModel model, Rollout rollout)
    {
        using IDisposable noGrad = no_grad();
        using DisposeScope scope = NewDisposeScope();
        long[] ids = [.. rollout.PromptTokens.Concat(rollout.ResponseTokens).Select(t => (long)t)];
        Tensor logits = model.Logits(model.Hidden(tensor(ids, 1, ids.Length)))[0]; // [time, vocabulary]
        (Tensor best, Tensor index) = logits.topk(2, -1);
        float[] top = best.contiguous().data<float>().ToArray();
        long[] choice = index.contiguous().data<long>().ToArray();
        int different = 0, ties = 0;
        for (int t = 0; t < rollout.ResponseTokens.Length; t++)
        {
            int at = rollout.PromptTokens.Length + t - 1;
            if (choice[2 * at] == rollout.ResponseTokens[t]) continue;
            different++;
            if (top[2 * at] - top[(2 * at) + 1] < TieMargin) ties++;
        }

        return (different, ties, rollout.ResponseTokens.Length);
    }
}
