using System.CommandLine;
using Rlhf.Core;
using Rlhf.Scoring;

return CommandHost.Run(args, ScoreCommand.Create());
