using System.CommandLine;
using Rlhf.Core;
using Rlhf.Export;
using Rlhf.Models;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize export</c>: a Hugging Face folder becomes an ONNX folder that ONNX Runtime and GenAI open.</summary>
public static class ExportCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Hugging Face folder: config.json, *.safetensors, tokenizer.json.", HelpName = "DIR", Required = true };
        var output = new Option<string>("--out") { Description = "ONNX folder; an older export there is replaced, anything else is an error.", HelpName = "DIR", Required = true };
        var command = new Command("export", "Exports a policy or a reward model to an ONNX folder.") { model, output };
        CommonOptions.AddTo(command, Offered.DryRun);
        command.SetAction((parsed, _) =>
        {
            string from = parsed.GetValue(model)!, to = parsed.GetValue(output)!;
            OnnxExporter.CheckReplaces(output.Name, to);
            if (CommonOptions.Of(parsed).DryRun)
            {
                using LlamaModel loaded = LlamaModel.Load(from, null, trainable: false);
                Console.WriteLine($"would export {loaded.Parameters.Count:N0} parameters of {from} → {to}");
            }
            else
            {
                ModelExport.Folder(from, to);
            }

            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}

/// <summary>Export by what a folder holds: a scalar head is a reward model, anything else a policy.</summary>
public static class ModelExport
{
    public static void Folder(string from, string to)
    {
        using LlamaModel model = LlamaModel.Load(from, null, trainable: false);
        Model(model, from, to);
    }

    /// <param name="model">Float32 weights.</param>
    /// <param name="tokenizerFrom">Folder with the tokenizer's files.</param>
    /// <param name="to">ONNX folder.</param>
    public static void Model(LlamaModel model, string tokenizerFrom, string to)
    {
        var weights = new LlamaWeights(model);
        if (model.Config.Head == ModelHead.Scalar) OnnxExporter.ExportReward(weights, tokenizerFrom, to);
        else OnnxExporter.ExportPolicy(weights, tokenizerFrom, to);
    }
}
