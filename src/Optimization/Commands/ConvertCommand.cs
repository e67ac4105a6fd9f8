using System.CommandLine;
using Rlhf.Core;
using Rlhf.Models;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize convert</c>: the same Hugging Face folder in another number format.</summary>
public static class ConvertCommand
{
    public static Command Create()
    {
        var model = new Option<string>("--model") { Description = "Hugging Face folder.", HelpName = "DIR", Required = true };
        var output = new Option<string>("--out") { Description = "New Hugging Face folder.", HelpName = "DIR", Required = true };
        var type = new Option<string>("--dtype") { Description = "f32, f16 or bf16; rounded to nearest even.", DefaultValueFactory = _ => "f16" };
        type.AcceptOnlyFromAmong("f32", "f16", "bf16");
        var command = new Command("convert", "Writes a model folder in another number format.") { model, output, type };
        CommonOptions.AddTo(command, Offered.DryRun);
        command.SetAction((parsed, _) =>
        {
            string from = parsed.GetValue(model)!;
            using LlamaModel loaded = LlamaModel.Load(from, null, trainable: false);
            if (CommonOptions.Of(parsed).DryRun)
            {
                Console.WriteLine($"would write {loaded.Parameters.Count:N0} parameters of {from} as {parsed.GetValue(type)} → {parsed.GetValue(output)}");
                return Task.FromResult((int)ExitCode.Done);
            }

            SafetensorsType format = Enum.Parse<SafetensorsType>(parsed.GetValue(type)!, ignoreCase: true);
            loaded.Save(parsed.GetValue(output)!, format, tokenizerFrom: from);
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}
