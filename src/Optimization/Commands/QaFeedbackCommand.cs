using System.CommandLine;
using Rlhf.Core;

namespace Rlhf.Optimization;

/// <summary><c>rlhf-optimize qa-feedback</c>: human feedback on answers, as pairs, rankings and judged sentences.</summary>
public static class QaFeedbackCommand
{
    public static Command Create()
    {
        var input = new Option<string>("--in") { Description = "dev_feedback.json or train_feedback.json of qa_feedback.", HelpName = "FILE", Required = true };
        var output = new Option<string>("--out") { Description = "Folder for pairs.*.jsonl, rankings.*.jsonl and steps.*.jsonl.", HelpName = "DIR", Required = true };
        var held = new Option<double>("--held-out-fraction") { Description = "Share of the questions held out.", HelpName = "SHARE", DefaultValueFactory = _ => 0.25 };
        var seed = new Option<ulong>("--seed") { Description = "Seed of the hold-out.", HelpName = "S", DefaultValueFactory = _ => 1 };
        var command = new Command("qa-feedback", "Turns the human comparisons of qa_feedback into pairs and rankings of the same questions and sentences with labels, split by question.") { input, output, held, seed };
        CommonOptions.AddTo(command, Offered.DryRun);
        command.SetAction((parsed, _) =>
        {
            if (CommonOptions.Of(parsed).DryRun)
            {
                Console.WriteLine($"would turn {QaFeedback.Count(parsed.GetValue(input)!):N0} questions into comparisons → {parsed.GetValue(output)}");
                return Task.FromResult((int)ExitCode.Done);
            }

            QaFeedback.Summary summary = QaFeedback.Convert(parsed.GetValue(input)!, parsed.GetValue(output)!, parsed.GetValue(held), parsed.GetValue(seed));
            Console.WriteLine($"{summary.Questions:N0} questions with {summary.Pairs:N0} preferences → {parsed.GetValue(output)}; {summary.TiedBest:N0} questions left out: no single best answer, or equal answers");
            Console.WriteLine($"{summary.Sentences:N0} sentences of first answers, {summary.Faulty:N0} with a marked error");
            return Task.FromResult((int)ExitCode.Done);
        });
        return command;
    }
}
