using Rlhf.Core;
using Rlhf.Optimization;

return CommandHost.Run(args, OptimizeCommand.Create());
