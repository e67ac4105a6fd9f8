using Rlhf.Core;
using Rlhf.Pipeline;

return CommandHost.Run(args, PipelineCommand.Create());
