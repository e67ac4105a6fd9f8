using Rlhf.Core;
using Rlhf.Generation;

return CommandHost.Run(args, GenerateCommand.Create());
